"""Status of ports: freshness, checks and deprecation, evaluated against the clock."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from kit.contracts import NOT_OFFERED, Sla, quarantine_table
from kit.core import Config, KitError, counted, plural
from kit.mesh import Context, Mesh, in_lookback
from kit.storage import index
from kit.storage.mask_keys import mask_key_problems
from kit.storage.partition_inputs import outdated_partitions
from kit.storage.store import Store
from kit.storage.summary import PortSummary, ProductSummary

_LISTED = 5


class PortState(StrEnum):
    """Whether a port can be relied on.

    `STALE`: the data is older than the contract's latency. `OUTDATED`: it, or partitions of it, were made from older inputs
    than there are now. `LATE`: the last build is longer ago than its frequency. `BROKEN`: the folder of the product, or what
    it published, cannot be read.
    """

    FRESH = "fresh"
    STALE = "stale"
    OUTDATED = "outdated"
    LATE = "late"
    UNPUBLISHED = "unpublished"
    BROKEN = "broken"


@dataclass(frozen=True)
class PortStatus:
    """One port, or (with an unnamed port) a product without any known port.

    `data_age` is that of the newest value of the latency column, on the mesh's data clock; of a contract without such a column
    the time since the oldest delivery of its sources, on the wall clock. `age` is measured on the wall clock, since the last
    build that published the port or found it up to date. `readers` are the
    products that read a deprecated port, `possible_readers` broken ones that read it or may. `inputs` are those that have
    another content now than the port was made from, and `outdated` the partitions that were made from them, within the
    lookback of the product; empty when the product has no partitions. `has_ended` is true after the last day of the port.
    """

    product: ProductSummary
    port: PortSummary
    state: PortState
    data_age: timedelta | None = None
    age: timedelta | None = None
    readers: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    possible_readers: tuple[str, ...] = ()
    has_ended: bool = False

    @property
    def version(self) -> str | None:
        """The snapshot that the port is read from, or None."""
        return self.product.version if self.port.rows is not None else None

    @property
    def note(self) -> str:
        """The error of a broken product or of its last build; empty without one."""
        return self.product.broken or self.product.note

    def to_json(self) -> dict[str, Any]:
        """Return the status as JSON values; ages and service levels in hours."""
        port = self.port
        return {
            "product": self.product.name,
            "port": port.name,
            "owner": self.product.owner,
            "state": self.state,
            "rows": port.rows,
            "version": self.version,
            "contract_version": port.contract_version,
            "rows_of": port.taken_over or self.version,
            "data_age_hours": _hours(self.data_age),
            "latency_hours": _hours(port.sla.latency),
            "age_hours": _hours(self.age),
            "frequency_hours": _hours(port.sla.frequency),
            "checks": {"passed": port.passed, "failed": port.failed, "warned": port.warned},
            "quarantined": port.quarantined,
            "raw_quarantined": dict(self.product.set_aside),
            "raw_checks": dict(self.product.raw_checks),
            "note": self.note,
            "status": port.status,
            "end_of_life": str(port.end_of_life) if port.end_of_life else None,
            "readers": list(self.readers),
            "rolled_back": self.product.rolled_back,
            "unconfirmed": list(self.product.unconfirmed),
            "delivered": {name: time.isoformat() for name, time in self.product.delivered.items()},
            "partitions": self.product.partitions,
            "outdated_partitions": list(self.outdated),
            "outdated_inputs": list(self.inputs),
            "possible_readers": list(self.possible_readers),
        }

    def describe(self) -> str:
        """Return freshness, error, outdated partitions and what limits the offer as one line of text."""
        return "; ".join(filter(None, (self._describe_state(), self.describe_outdated(), self.describe_offer())))

    def describe_freshness(self) -> str:
        """Return the state, the age of the snapshot and the age of its data, each with the contract's limit."""
        if self.age is None:
            return self.state
        parts = [f"{self.state} {_age_of_limit(self.age, self.port.sla.frequency)}"]
        if self.data_age is not None and (self.port.sla.latency or self.product.delivered):
            parts.append(f"data {_age_of_limit(self.data_age, self.port.sla.latency)}")
        if self.outdated:
            parts.append(f"{len(self.outdated)} of {counted(self.product.partitions, 'partition')} outdated")
        # Non-breaking spaces, so that a narrow table breaks the line between the parts.
        return ", ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)

    def describe_offer(self) -> str:
        """Return why other products should not, or not for ever, read the port, and its readers; empty without a reason."""
        if self.port.status in NOT_OFFERED:
            parts = [f"{self.port.status}, {NOT_OFFERED[self.port.status]}"]
        elif self.port.end_of_life:
            parts = [f"deprecated, {'ended on' if self.has_ended else 'served until'} {self.port.end_of_life}"]
        else:
            return ""
        parts += [f"still read by {', '.join(self.readers)}"] if self.readers else []
        parts += [f"perhaps read by {', '.join(self.possible_readers)} (broken)"] if self.possible_readers else []
        return ", ".join(parts)

    def describe_confirmation(self) -> str:
        """Return why the snapshot does not count as confirmed by builds after it; empty without a reason."""
        names = ", ".join(self.product.unconfirmed)
        waiting = f"not confirmed while the last build of {names} failed or was rolled back" if names else ""
        return "; ".join(filter(None, (self.product.rolled_back, waiting)))

    def describe_outdated(self) -> str:
        """Return the inputs that have changed, with the outdated partitions; empty without any."""
        if not self.inputs:
            return ""
        shown = ", ".join(self.outdated[:_LISTED])
        if rest := self.outdated[_LISTED:]:
            shown += f" and {len(rest):,} more up to {rest[-1]}"
        return f"made from another {' and '.join(self.inputs)} than is published now" + (f": {shown}" if shown else "")

    def describe_checks(self) -> str:
        """Return the numbers of passed, failed and warned checks and of quarantined rows; empty without any check."""
        counts = [("passed", self.port.passed), ("failed", self.port.failed), ("warned", self.port.warned)]
        if self.version is None and not self.port.failed:
            return ""
        parts = [f"{count} {kind}" for kind, count in counts if count or kind == "passed"]
        parts += [f"{counted(self.port.quarantined, 'row')} quarantined"] if self.port.quarantined else []
        return ", ".join(parts)

    def _describe_state(self) -> str:
        if self.product.broken:
            old = f"; its last snapshot is still served, {format_duration(self.age)} old" if self.age is not None else ""
            return f"broken: {self.product.broken}{old}"
        if self.product.damaged:
            return f"broken: {self.product.damaged}"
        if self.age is None:
            return f"never published, {self.note}" if self.note else "never built"
        return "; ".join(filter(None, (self.describe_freshness(), self.describe_confirmation(), self.note)))


def statuses(context: Context) -> list[PortStatus]:
    """Return the status of every port of the mesh in build order, then of the broken products.

    A product whose masked columns join with no others of the mesh has a note about it.
    """
    config, mesh = context.config, context.mesh
    products = index.derive(context)
    problems = mask_key_problems(Store(config.storage), [product.name for product in products])
    products = tuple(
        replace(product, note="; ".join(filter(None, (product.note, *problems.get(product.name, ()))))) for product in products
    )
    return [_with_readers(mesh, status) if status.describe_offer() else status for status in port_statuses(config, products)]


def port_statuses(config: Config, products: Iterable[ProductSummary]) -> list[PortStatus]:
    """Return the present status of each port of the products; it names no readers."""
    now, clock = datetime.now(UTC), config.clock()
    rows = []
    for product in products:
        outdated, inputs = _outdated(config, product, clock)
        for port in product.ports or (PortSummary(""),):
            status = replace(_status(product, port, now, clock), has_ended=_has_ended(port, clock))
            if inputs and status.version:
                state = PortState.OUTDATED if status.state in (PortState.FRESH, PortState.LATE) else status.state
                status = replace(status, state=state, outdated=outdated, inputs=inputs)
            rows.append(status)
    return rows


def format_warnings(rows: Iterable[PortStatus]) -> list[str]:
    """Return a line for each product that was rolled back, is not confirmed, or is outdated."""
    products = {row.product.name: row for row in rows}
    lines = [f"{name}: {text}" for name, row in products.items() if (text := row.describe_confirmation())]
    outdated = {row.product.name: row.describe_outdated() for row in rows if row.inputs}
    return lines + [f"{name}: {text}; run `kit run {name}`" for name, text in outdated.items()]


def tally(rows: Iterable[PortStatus]) -> dict[str, int]:
    """Return the numbers of a mesh by their names: of its ports, and of all checks and quarantined rows, raw data included."""
    rows = list(rows)
    ports = [row for row in rows if row.port.name]
    raw = {row.product.name: row.product for row in rows}.values()
    checks = {
        kind: sum(getattr(row.port, kind) for row in ports) + sum(product.raw_checks.get(kind, 0) for product in raw)
        for kind in ("passed", "warned", "failed")
    }
    aside = sum(row.port.quarantined or 0 for row in ports)
    numbers = (
        ("data product", "", len(raw)),
        ("port", "", len(ports)),
        ("row", " published", sum(row.port.rows or 0 for row in ports)),
        ("check", " passed", checks["passed"]),
        ("check", " with a warning", checks["warned"]),
        ("check", " failed", checks["failed"]),
        ("port", " not fresh", sum(row.state != PortState.FRESH for row in ports)),
        ("row", " quarantined", aside + sum(count for product in raw for count in product.set_aside.values())),
    )
    return {f"{plural(number, noun)}{what}": number for noun, what, number in numbers}


def format_raw(rows: Iterable[PortStatus]) -> list[str]:
    """Return a line for each product whose raw data has checks that warn or fail, and for each raw table with quarantined rows.

    The latter has the number of rows and the command that reads them.
    """
    lines = []
    for name, product in {row.product.name: row.product for row in rows}.items():
        numbers = [(product.raw_checks.get(kind, 0), kind) for kind in ("failed", "warned")]
        if found := [f"{counted(number, 'check')} of raw data {kind}" for number, kind in numbers if number]:
            lines.append(f"{name}: {' and '.join(found)}; see kit.open().browse()")
        lines += [
            f"{name}: {counted(count, 'row')} of {table} quarantined; see `kit read {quarantine_table(f'{name}.{table}')}`"
            for table, count in product.set_aside.items()
            if count
        ]
    return lines


def format_duration(duration: timedelta) -> str:
    """Return a duration in its largest fitting unit: `40 s`, `5 min`, `3 h`, `12 d`, `2 y`."""
    seconds = duration.total_seconds()
    for size, unit in ((31557600, "y"), (86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"


def _outdated(config: Config, product: ProductSummary, clock: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the outdated partitions of a product within its lookback, and the inputs that have changed."""
    if not product.partitions:
        return (), product.outdated_inputs
    try:
        snapshot = Store(config.storage).current(product.name)
    except KitError:
        return (), ()  # the summary has the error as its note
    changed = outdated_partitions(config, snapshot) if snapshot else {}
    changed = {key: names for key, names in changed.items() if in_lookback(key, product.lookback, clock)}
    return tuple(changed), tuple(sorted({name for names in changed.values() for name in names}))


def _with_readers(mesh: Mesh, status: PortStatus) -> PortStatus:
    port = f"{status.product.name}.{status.port.name}"
    readers = tuple(reader.name for reader in mesh.readers(port))
    return replace(status, readers=readers, possible_readers=mesh.possible_readers(port))


def _status(product: ProductSummary, port: PortSummary, now: datetime, clock: datetime) -> PortStatus:
    unusable = product.broken or product.damaged
    if port.rows is None or product.confirmed_at is None:
        return PortStatus(product, port, PortState.BROKEN if unusable else PortState.UNPUBLISHED)
    age, data_age = now - product.confirmed_at, None
    if product.delivered_at and not port.sla.latency_column:
        data_age = now - product.delivered_at
    if port.newest:
        newest = port.newest.astimezone(UTC).replace(tzinfo=None) if port.newest.tzinfo else port.newest
        data_age = clock - newest
    return PortStatus(product, port, PortState.BROKEN if unusable else _state(port.sla, age, data_age), data_age, age)


def _state(sla: Sla, age: timedelta, data_age: timedelta | None) -> PortState:
    if sla.latency and data_age and data_age > sla.latency:
        return PortState.STALE
    return PortState.LATE if sla.frequency and age > sla.frequency else PortState.FRESH


def _has_ended(port: PortSummary, clock: datetime) -> bool:
    return port.end_of_life is not None and port.end_of_life < clock.date()


def _age_of_limit(age: timedelta, limit: timedelta | None) -> str:
    """Return an age with its limit: `3 h of 1 d`."""
    return format_duration(age) + (f" of {format_duration(limit)}" if limit else "")


def _hours(duration: timedelta | None) -> float | None:
    return None if duration is None else round(duration.total_seconds() / 3600, 2)
