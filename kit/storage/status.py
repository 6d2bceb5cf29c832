"""How every port stands now: its card held against the clock."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kit.contracts import Sla, quarantine_table
from kit.core import Config
from kit.mesh import Mesh
from kit.storage import index
from kit.storage.summary import PortSummary, ProductSummary


@dataclass(frozen=True)
class PortStatus:
    """One port, or (with an unnamed port) a product of which none is known.

    `state` is `fresh`, `stale` (its data is older than the contract's latency), `late` (not published as often as
    promised), `unpublished` or `broken`. `data_age` is measured on the mesh's data clock; `age`, on the wall clock, since
    the last build that published it or found it up to date. `readers` are the products that read a deprecated port.
    """

    card: ProductSummary
    port: PortSummary
    state: str
    data_age: timedelta | None = None
    age: timedelta | None = None
    readers: tuple[str, ...] = ()

    @property
    def version(self) -> str | None:
        """The snapshot the port is read from, or None."""
        return self.card.version if self.port.rows is not None else None

    @property
    def note(self) -> str:
        """What is wrong with the product, or nothing."""
        return self.card.broken or self.card.note

    def to_json(self) -> dict[str, Any]:
        """The status as JSON values; ages and service levels in hours."""
        port = self.port
        return {
            "product": self.card.name,
            "port": port.name,
            "owner": self.card.owner,
            "state": self.state,
            "rows": port.rows,
            "version": self.version,
            "contract_version": port.contract_version,
            "data_age_hours": _hours(self.data_age),
            "latency_hours": _hours(port.sla.latency),
            "age_hours": _hours(self.age),
            "frequency_hours": _hours(port.sla.frequency),
            "checks": {"passed": port.passed, "failed": port.failed, "warned": port.warned},
            "quarantined": port.quarantined,
            "raw_quarantined": dict(self.card.set_aside),
            "note": self.note,
            "end_of_life": str(self.port.end_of_life) if self.port.end_of_life else None,
            "readers": list(self.readers),
        }

    def freshness(self) -> str:
        """The state, the age of the snapshot and of its data, each beside what the contract allows."""
        if self.age is None:
            return self.state
        parts = [f"{self.state} {_within(self.age, self.port.sla.frequency)}"]
        if self.data_age is not None and self.port.sla.latency:
            parts.append(f"data {_within(self.data_age, self.port.sla.latency)}")
        # Spaces that do not break, so that a narrow table breaks between the parts.
        return ", ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)

    def in_words(self) -> str:
        """All that is to be said about how far the port can be relied on."""
        return "; ".join(filter(None, (self._stands(), self.deprecation())))

    def _stands(self) -> str:
        if self.card.broken:
            serves = f"; its last snapshot still serves, {span(self.age)} old" if self.age is not None else ""
            return f"broken: {self.card.broken}{serves}"
        if self.age is None:
            return f"never published, {self.note}" if self.note else "never built"
        return f"{self.freshness()}; {self.note}" if self.note else self.freshness()

    def deprecation(self) -> str:
        """Until when a deprecated port is served, and who still reads it; empty when it is not deprecated."""
        readers = f", still read by {', '.join(self.readers)}" if self.readers else ""
        return f"deprecated, served until {self.port.end_of_life}{readers}" if self.port.end_of_life else ""

    def checks(self) -> str:
        """How many checks passed, failed and warned; empty when none was made."""
        counts = [("passed", self.port.passed), ("failed", self.port.failed), ("warned", self.port.warned)]
        if self.version is None and not self.port.failed:
            return ""
        parts = [f"{count} {kind}" for kind, count in counts if count or kind == "passed"]
        parts += [f"{self.port.quarantined:,} rows set aside"] if self.port.quarantined else []
        return ", ".join(parts)


def statuses(config: Config, mesh: Mesh) -> list[PortStatus]:
    """Every port of the mesh in build order, then the broken products."""
    return [
        replace(row, readers=_readers(mesh, row)) if row.port.end_of_life else row
        for row in judge(config, index.derive(config, mesh))
    ]


def _readers(mesh: Mesh, row: PortStatus) -> tuple[str, ...]:
    return tuple(reader.name for reader in mesh.readers(f"{row.card.name}.{row.port.name}"))


def judge(config: Config, cards: Iterable[ProductSummary]) -> list[PortStatus]:
    """How each port of the cards stands at this moment."""
    now, clock = datetime.now(UTC), config.clock()
    return [_status(card, port, now, clock) for card in cards for port in card.ports or (PortSummary(""),)]


def raw_set_aside(rows: Iterable[PortStatus]) -> list[str]:
    """Of all raw data of which rows were set aside: how many, and how to see them."""
    cards = {row.card.name: row.card for row in rows}
    return [
        f"{name}: {count:,} rows of {table} set aside; see `kit read {quarantine_table(f'{name}.{table}')}`"
        for name, card in cards.items()
        for table, count in card.set_aside.items()
        if count
    ]


def _status(card: ProductSummary, port: PortSummary, now: datetime, clock: datetime) -> PortStatus:
    if port.rows is None or card.confirmed_at is None:
        return PortStatus(card, port, "broken" if card.broken else "unpublished")
    age, data_age = now - card.confirmed_at, None
    if port.newest:
        newest = port.newest.astimezone(UTC).replace(tzinfo=None) if port.newest.tzinfo else port.newest
        data_age = clock - newest
    return PortStatus(card, port, "broken" if card.broken else _state(port.sla, age, data_age), data_age, age)


def _state(sla: Sla, age: timedelta, data_age: timedelta | None) -> str:
    if sla.latency and data_age and data_age > sla.latency:
        return "stale"
    return "late" if sla.frequency and age > sla.frequency else "fresh"


def _within(age: timedelta, limit: timedelta | None) -> str:
    """An age beside what the contract allows: `3 h of 1 d`."""
    return span(age) + (f" of {span(limit)}" if limit else "")


def _hours(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds() / 3600, 2)


def span(length: timedelta) -> str:
    """A length of time in its largest fitting unit: `40 s`, `5 min`, `3 h`, `12 d`, `2 y`."""
    seconds = length.total_seconds()
    for size, unit in ((31557600, "y"), (86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"
