"""Summaries of data products: contract facts, snapshot and last build, from records alone, without reading data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from kit.contracts import Check, Sla, counts
from kit.core import Config, KitError
from kit.mesh import RAW, Broken, DataProduct
from kit.storage.facts import port_facts, product_facts, sla_from_json, sla_to_json
from kit.storage.partition_inputs import whole_content
from kit.storage.runs import BuildStatus, RunRecord, Runs
from kit.storage.snapshot import Pointer, Snapshot
from kit.storage.store import Store


class ColumnSummary(NamedTuple):
    """One column: `type` is a DuckDB type in lower case, `mask` the one by which its values are published; empty without."""

    name: str
    type: str
    description: str
    is_key: bool = False
    classification: str = ""
    mask: str = ""


@dataclass(frozen=True)
class PortSummary:
    """One port. `rows`, `newest` (time of its newest data) and `contract_version` belong to the current snapshot.

    `failed` counts checks of the last build if that published nothing; `passed` and `warned` count those of the snapshot.
    `quarantined` is the number of quarantined rows, None when the contract has no rule that quarantines. `end_of_life` is
    the last day of a deprecated port, `status` that of its contract. `parameters` are those of its notebook, as text. `content`
    is the digest of its rows and contract version, by which readers know whether they were made from it; empty when it is not
    published. `taken_over` is the snapshot whose build made its rows, empty for that of this snapshot.
    """

    name: str
    description: str = ""
    columns: tuple[ColumnSummary, ...] = ()
    sla: Sla = field(default_factory=Sla)
    contract_version: str | None = None
    rows: int | None = None
    newest: datetime | None = None
    passed: int = 0
    failed: int = 0
    warned: int = 0
    end_of_life: date | None = None
    quarantined: int | None = None
    parameters: tuple[str, ...] = ()
    content: str = ""
    taken_over: str = ""
    status: str = "active"


@dataclass(frozen=True)
class ProductSummary:
    """One product. `broken` is the error of its folder, `damaged` that of its pointer, manifest or published files, `note` the
    reason why its last build failed or was canceled, or the damage.

    `version` is the snapshot that readers see, None before the first. `set_aside` are the numbers of quarantined rows by
    raw table, for tables whose contract quarantines, `raw_checks` the numbers of passed and warned checks of raw tables in
    the snapshot, and of failed ones in the last build if that published nothing. `confirmed_at` is the time (UTC) when a
    build last published the snapshot or found it up to date. `rolled_back` is by whom, when and why it was made current
    again, empty otherwise. `partitions` is the number of partitions of the snapshot, of which changed inputs make the
    newest `lookback` days due, all without it. `inputs` are the ports that it was made from, each with its content; that of
    a partitioned product differs by partition and is empty. `delivered` are the times (UTC) when the data of its sources
    was delivered. `confirmation.across` adds `unconfirmed`, the providers that do not answer, `delivered_at`, the oldest
    delivery of what the product was made from, and `outdated_inputs`, the ports that have another content now than it was
    made from.
    """

    name: str
    domain: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    owner: str = ""
    contact: str = ""
    ports: tuple[PortSummary, ...] = ()
    version: str | None = None
    confirmed_at: datetime | None = None
    note: str = ""
    broken: str = ""
    damaged: str = ""
    set_aside: Mapping[str, int] = field(default_factory=dict)
    raw_checks: Mapping[str, int] = field(default_factory=dict)
    rolled_back: str = ""
    partitions: int = 0
    lookback: int | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    delivered: Mapping[str, datetime] = field(default_factory=dict)
    unconfirmed: tuple[str, ...] = ()
    delivered_at: datetime | None = None
    outdated_inputs: tuple[str, ...] = ()

    @property
    def providers(self) -> tuple[str, ...]:
        """The products that it was made from."""
        return tuple(sorted({name.partition(".")[0] for name in self.inputs}))

    @classmethod
    def from_product(cls, config: Config, product: DataProduct | Broken) -> "ProductSummary":
        """Return the summary of a product, from its folder, snapshots and runs.

        The ports of a broken product are those of its current snapshot.
        """
        try:
            snapshot, damaged = Store(config.storage).current(product.name), ""
            pointer = Store(config.storage).read_pointer(product.name)
        except KitError as error:
            snapshot, pointer, damaged = None, None, str(error)
        if snapshot:
            try:
                snapshot.check(sums=False)
            except KitError as error:
                damaged = str(error)
        published: dict[str, dict[str, Any]] = snapshot.manifest["ports"] if snapshot else {}
        if isinstance(product, Broken):
            facts = snapshot.manifest.get("about", {}) if snapshot else {}
            ports = {name: entry.get("about", {}) for name, entry in published.items() if "quarantine_of" not in entry}
        else:
            facts = product_facts(product)
            ports = {port.name: port_facts(port) for port in product.ports}
        runs = Runs(config.storage)
        last = runs.last(product.name)
        problems = [f"the record of the last build is damaged: {error}" for error in runs.damaged(product.name, 1).values()]
        if last and last.status in (BuildStatus.FAILED, BuildStatus.CANCELED):
            first, _, _ = last.message.partition("\n")
            problems.append(f"last build {last.status}: {first}")
        confirming = _confirming(snapshot, runs, pointer) if snapshot else None
        return cls(
            name=product.name,
            ports=tuple(_port(name, port, published.get(name), last) for name, port in ports.items()),
            version=snapshot.version if snapshot else None,
            confirmed_at=_confirmed_at(snapshot, confirming) if snapshot else None,
            rolled_back=pointer.rolled_back.describe() if pointer and pointer.rolled_back else "",
            note=damaged or "; ".join(problems),
            damaged=damaged,
            broken=str(product.finding) if isinstance(product, Broken) else "",
            set_aside=_raw_quarantined(snapshot) if snapshot else {},
            raw_checks=_raw_checks(snapshot, last),
            partitions=len(snapshot.manifest.get("partitions", ())) if snapshot else 0,
            inputs=_inputs(snapshot) if snapshot else {},
            delivered=_delivered(snapshot, confirming) if snapshot else {},
            **{**facts, "tags": tuple(facts.get("tags", ()))},
        )

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON values, except that times stay `datetime` values."""
        return vars(self) | {"ports": [vars(port) | {"sla": sla_to_json(port.sla)} for port in self.ports]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ProductSummary":
        """Return the summary that `to_json` returned, with times as text."""
        ports = tuple(
            PortSummary(
                **{
                    **port,
                    "columns": tuple(ColumnSummary(*column) for column in port["columns"]),
                    "sla": sla_from_json(port["sla"]),
                    "newest": _time(port["newest"]),
                    "end_of_life": _day(port.get("end_of_life")),
                    "parameters": tuple(port.get("parameters", ())),
                }
            )
            for port in data["ports"]
        )
        delivered = {name: datetime.fromisoformat(time) for name, time in data["delivered"].items()}
        times = {
            "confirmed_at": _time(data["confirmed_at"]),
            "delivered_at": _time(data["delivered_at"]),
            "delivered": delivered,
        }
        names = {name: tuple(data[name]) for name in ("tags", "unconfirmed", "outdated_inputs")}
        return cls(**{**data, "ports": ports, **times, **names})


def _columns(facts: Mapping[str, Any]) -> Iterator[ColumnSummary]:
    classifications, masks = facts.get("classifications", {}), facts.get("masks", {})
    for name, kind, description in facts.get("columns", ()):
        is_key = name in facts.get("key", ())
        yield ColumnSummary(name, kind, description, is_key, classifications.get(name, ""), masks.get(name, ""))


def _port(name: str, facts: Mapping[str, Any], published: Mapping[str, Any] | None, last: RunRecord | None) -> PortSummary:
    failing = last.checks if last and last.failed else ()
    promised = PortSummary(
        name=name,
        description=facts.get("description", ""),
        columns=tuple(_columns(facts)),
        sla=sla_from_json(facts.get("sla", {})),
        failed=sum(check.blocks and check.table == name for check in failing),
        end_of_life=_day(facts.get("end_of_life")),
        status=facts.get("status", "active"),
        parameters=tuple(facts.get("parameters", ())),
    )
    if published is None:
        return promised
    return replace(
        promised,
        contract_version=published["contract_version"],
        rows=published["rows"],
        newest=_time(published["newest"]),
        passed=published["checks"]["passed"],
        warned=published["checks"]["warned"],
        quarantined=published.get("quarantined"),
        content=whole_content(published),
        taken_over=published.get("taken_over", {}).get("version", ""),
    )


def _inputs(snapshot: Snapshot) -> dict[str, str]:
    is_whole = not snapshot.manifest.get("partitions")
    return {name: whole_content(pin) if is_whole else "" for name, pin in snapshot.manifest["inputs"].items()}


def _raw_quarantined(snapshot: Snapshot) -> dict[str, int]:
    sources: dict[str, dict[str, Any]] = snapshot.manifest["sources"]
    return {f"{RAW}.{name}": source["quarantined"] for name, source in sources.items() if "quarantined" in source}


def _raw_checks(snapshot: Snapshot | None, last: RunRecord | None) -> dict[str, int]:
    """Return the numbers of passed, failed and warned checks of raw tables, without those that are 0."""
    made = map(Check.from_json, snapshot.manifest["checks"]) if snapshot else ()
    numbers = counts(check for check in made if check.table.startswith(f"{RAW}."))
    failing = last.checks if last and last.failed else ()
    numbers["failed"] = sum(check.blocks and check.table.startswith(f"{RAW}.") for check in failing)
    return {kind: number for kind, number in numbers.items() if number}


def _confirming(snapshot: Snapshot, runs: Runs, pointer: Pointer | None) -> RunRecord | None:
    """Return the last build that published the snapshot, or asked its sources and found nothing newer.

    None of a snapshot that was rolled back to: newer data was rejected.
    """
    if pointer is None or pointer.rolled_back:
        return None
    last = runs.last(snapshot.product, (BuildStatus.PUBLISHED, BuildStatus.UP_TO_DATE))
    return last if last and last.version == snapshot.version else None


def _confirmed_at(snapshot: Snapshot, confirming: RunRecord | None) -> datetime:
    return max(snapshot.created_at, confirming.finished_at) if confirming else snapshot.created_at


def _delivered(snapshot: Snapshot, confirming: RunRecord | None) -> dict[str, datetime]:
    """Return when the data of each source was delivered, as the last confirmation found it."""
    sources: dict[str, dict[str, Any]] = snapshot.manifest["sources"]
    times = {name: source["delivered"] for name, source in sources.items() if source.get("delivered")}
    times |= confirming.delivered if confirming else {}
    return {name: datetime.fromisoformat(time) for name, time in times.items()}


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
