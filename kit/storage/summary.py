"""What is known about one data product, on one card: its promises, and how it stands, from records only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from kit.contracts import Sla
from kit.core import Config, KitError, NotebookError
from kit.mesh import RAW, Broken, DataProduct, OutputPort, parameters
from kit.storage.runs import BuildStatus, Record, Runs
from kit.storage.snapshots import Snapshot, Store

_LEVELS = ("latency", "frequency", "retention")


class Column(NamedTuple):
    """One column: `type` is a DuckDB type in lower case."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class PortSummary:
    """One port. `rows`, `newest` (its newest data) and `contract_version` are those of the current snapshot.

    `failed` are checks of the last build, which published nothing; the others are of the snapshot. `quarantined` are rows
    that were set aside, None when its contract sets none aside; `end_of_life` the last day a deprecated one is served.
    `parameters` are what its notebook can be given, in words.
    """

    name: str
    description: str = ""
    columns: tuple[Column, ...] = ()
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


@dataclass(frozen=True)
class ProductSummary:
    """One product. `broken` says why its folder cannot be used, `note` what was wrong with its last build.

    `version` is the snapshot readers see, None before the first; `set_aside` how many rows of its raw data are not in it, by
    table, where a contract sets any aside. `confirmed_at` is when a build last published it or
    found it up to date, UTC.
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
    set_aside: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, product: DataProduct | Broken) -> "ProductSummary":
        """The card of a product as its folder, its snapshots and its runs are now.

        Of a broken one the ports are those of the snapshot that still serves.
        """
        try:
            snapshot, problem = Store(config.storage).current(product.name), ""
        except KitError as error:
            snapshot, problem = None, str(error)
        published: dict[str, dict[str, Any]] = snapshot.manifest["ports"] if snapshot else {}
        if isinstance(product, Broken):
            about = snapshot.manifest.get("about", {}) if snapshot else {}
            ports = {name: entry.get("about", {}) for name, entry in published.items() if "quarantine_of" not in entry}
        else:
            about = product_facts(product)
            ports = {port.name: port_facts(port) for port in product.ports}
        runs = Runs(config.storage)
        last = runs.last(product.name)
        if last and last.failed:
            problem = f"last build failed: {last.message.splitlines()[0]}"
        return cls(
            name=product.name,
            ports=tuple(_port(name, facts, published.get(name), last) for name, facts in ports.items()),
            version=snapshot.version if snapshot else None,
            confirmed_at=_confirmed(snapshot, runs) if snapshot else None,
            note=problem,
            broken=product.message if isinstance(product, Broken) else "",
            set_aside=_set_aside(snapshot) if snapshot else {},
            **{**about, "tags": tuple(about.get("tags", ()))},
        )

    def to_json(self) -> dict[str, Any]:
        """The card as JSON values; moments are left to the writer."""
        return vars(self) | {"ports": [vars(port) | {"sla": _sla_to_json(port.sla)} for port in self.ports]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ProductSummary":
        """The card that `to_json` gave."""
        ports = tuple(
            PortSummary(
                **{
                    **port,
                    "columns": tuple(Column(*column) for column in port["columns"]),
                    "sla": _sla_from_json(port["sla"]),
                    "newest": _moment(port["newest"]),
                    "end_of_life": _day(port.get("end_of_life")),
                    "parameters": tuple(port.get("parameters", ())),
                }
            )
            for port in data["ports"]
        )
        confirmed_at = _moment(data["confirmed_at"])
        return cls(**{**data, "tags": tuple(data["tags"]), "ports": ports, "confirmed_at": confirmed_at})


def product_facts(product: DataProduct) -> dict[str, Any]:
    """What a product's descriptor says about it, as JSON values for a manifest."""
    return {
        "domain": product.domain,
        "description": product.description,
        "tags": list(product.tags),
        "owner": product.owner,
        "contact": product.owner_contact,
    }


def port_facts(port: OutputPort) -> dict[str, Any]:
    """What a port promises, as JSON values for a manifest."""
    end = port.contract.end_of_life
    return {
        "description": port.description,
        "columns": [[column.name, column.type, column.description] for column in port.contract.columns],
        "sla": _sla_to_json(port.contract.sla),
        **({"end_of_life": str(end)} if end else {}),
        **({"parameters": list(given)} if (given := _parameters(port)) else {}),
    }


def _parameters(port: OutputPort) -> tuple[str, ...]:
    """None for a notebook that cannot be read, which a build and `kit check` tell."""
    try:
        return tuple(map(str, parameters(port.notebook).values())) if port.notebook else ()
    except NotebookError:
        return ()


def _port(name: str, facts: Mapping[str, Any], entry: Mapping[str, Any] | None, last: Record | None) -> PortSummary:
    failing = last.checks if last and last.failed else ()
    card = PortSummary(
        name=name,
        description=facts.get("description", ""),
        columns=tuple(Column(*column) for column in facts.get("columns", ())),
        sla=_sla_from_json(facts.get("sla", {})),
        failed=sum(check.blocks and check.table == name for check in failing),
        end_of_life=_day(facts.get("end_of_life")),
        parameters=tuple(facts.get("parameters", ())),
    )
    if entry is None:
        return card
    return replace(
        card,
        contract_version=entry["contract_version"],
        rows=entry["rows"],
        newest=_moment(entry["newest"]),
        passed=entry["checks"]["passed"],
        warned=entry["checks"]["warned"],
        quarantined=entry.get("quarantined"),
    )


def _set_aside(snapshot: Snapshot) -> dict[str, int]:
    landed: dict[str, dict[str, Any]] = snapshot.manifest["sources"]
    return {f"{RAW}.{name}": entry["quarantined"] for name, entry in landed.items() if "quarantined" in entry}


def _confirmed(snapshot: Snapshot, runs: Runs) -> datetime:
    last = runs.last(snapshot.product, (BuildStatus.PUBLISHED, BuildStatus.UP_TO_DATE))
    return max(last.finished_at, snapshot.created_at) if last else snapshot.created_at


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _sla_to_json(sla: Sla) -> dict[str, Any]:
    levels = {name: getattr(sla, name) for name in _LEVELS}
    result: dict[str, Any] = {f"{name}_hours": level.total_seconds() / 3600 for name, level in levels.items() if level}
    return result | ({"latency_column": sla.latency_column} if sla.latency_column else {})


def _sla_from_json(data: Mapping[str, Any]) -> Sla:
    levels = {name: timedelta(hours=data[f"{name}_hours"]) for name in _LEVELS if f"{name}_hours" in data}
    return Sla(**levels, latency_column=data.get("latency_column"))
