"""What is published, how fresh it is and how the last builds went, read from records only."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from kit.config import Config
from kit.contract import Sla
from kit.errors import KitError
from kit.mesh import Mesh
from kit.runs import Runs
from kit.store import Store


@dataclass(frozen=True)
class PortStatus:
    """One port, or (with `port` empty) a product that is broken.

    `state` is `fresh`, `stale` (its data is older than the contract's latency), `late` (not published as often as
    promised), `unpublished` or `broken`. `data_age` is measured on the mesh's data clock; `age`, on the wall clock, since
    the last build that published it or found it up to date.
    """

    product: str
    port: str
    owner: str
    state: str
    rows: int | None = None
    version: str | None = None
    contract_version: str | None = None
    data_age: timedelta | None = None
    age: timedelta | None = None
    sla: Sla = field(default_factory=Sla)
    passed: int = 0
    failed: int = 0
    warned: int = 0
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The status as JSON values; ages and service levels in hours."""
        return {
            "product": self.product,
            "port": self.port,
            "owner": self.owner,
            "state": self.state,
            "rows": self.rows,
            "version": self.version,
            "contract_version": self.contract_version,
            "data_age_hours": _hours(self.data_age),
            "latency_hours": _hours(self.sla.latency),
            "age_hours": _hours(self.age),
            "frequency_hours": _hours(self.sla.frequency),
            "checks": {"passed": self.passed, "failed": self.failed, "warned": self.warned},
            "note": self.note,
        }

    def freshness(self) -> str:
        """The state, the age of the snapshot and of its data, each beside what the contract allows."""
        if self.age is None:
            return self.state
        parts = [f"{self.state} {_within(self.age, self.sla.frequency)}"]
        if self.data_age is not None and self.sla.latency:
            parts.append(f"data {_within(self.data_age, self.sla.latency)}")
        # Spaces that do not break, so that a narrow table breaks between the parts.
        return ", ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)


def statuses(config: Config, mesh: Mesh) -> list[PortStatus]:
    """Every port of the mesh in build order, then the broken products."""
    store, runs = Store(config.storage), Runs(config.storage)
    rows = []
    for product in mesh.products:
        try:
            snapshot, problem = store.current(product.name), ""
        except KitError as error:
            snapshot, problem = None, str(error)
        last = runs.last(product.name)
        failing = last is not None and last.status == "failed"
        note = f"last build failed: {last.message.splitlines()[0]}" if last and failing else problem
        for port in product.ports:
            entry = snapshot.manifest["ports"].get(port.name) if snapshot else None
            failed = sum(check.blocks and check.table == port.name for check in last.checks) if last and failing else 0
            if snapshot is None or entry is None:
                rows.append(PortStatus(product.name, port.name, product.owner, "unpublished", failed=failed, note=note))
                continue
            confirmed = last.finished_at if last and last.status in ("published", "up to date") else snapshot.created_at
            age, data_age = _ages(config, max(confirmed, snapshot.created_at), entry)
            rows.append(
                PortStatus(
                    product=product.name,
                    port=port.name,
                    owner=product.owner,
                    state=_state(port.contract.sla, age, data_age),
                    rows=entry["rows"],
                    version=snapshot.version,
                    contract_version=entry["contract_version"],
                    data_age=data_age,
                    age=age,
                    sla=port.contract.sla,
                    passed=entry["checks"]["passed"],
                    failed=failed,
                    warned=entry["checks"]["warned"],
                    note=note,
                )
            )
    return rows + [PortStatus(item.name, "", "", "broken", note=item.message) for item in mesh.broken]


def _ages(config: Config, confirmed: datetime, entry: dict[str, Any]) -> tuple[timedelta, timedelta | None]:
    age = datetime.now(UTC) - confirmed
    newest = datetime.fromisoformat(entry["newest"]) if entry["newest"] else None
    if newest and newest.tzinfo:
        newest = newest.astimezone(UTC).replace(tzinfo=None)
    return age, config.clock() - newest if newest else None


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
    """A length of time in its largest fitting unit: `40 s`, `5 min`, `3 h`, `12 d`."""
    seconds = length.total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"
