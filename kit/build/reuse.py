"""What a build takes over from the current snapshot: ports whose rows are the same, and results of checks."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kit.build.table_code import TableCode, digest
from kit.contracts import Check, quarantine_table
from kit.dbt.project import Project
from kit.mesh import RAW, DataProduct
from kit.quality import Judged, Verdicts, read_verdicts
from kit.storage import FORMAT, PartitionRecord, Snapshot

if TYPE_CHECKING:
    from kit.dbt.selection import Selection


@dataclass(frozen=True)
class Reuse:
    """What a build takes over, beside the files of partitions.

    `tables` are the fingerprints of sources, inputs, models and ports, of a product with partitions those of sources and inputs
    only; `tests` is that of the dbt tests. `changed` are the tables whose rows may differ from those of the current snapshot,
    `ports` the output ports that are taken over as a whole. `dbt_checks` are the results of dbt tests that hold for tables that
    have not changed, with their runs in `dbt_runs`; `runs_dbt` is whether dbt has anything to make or to test. `sources` are
    those whose rows are set aside already. `origins` are the runs that built the ports of the current snapshot,
    `verdicts` the results of its rules.
    """

    tables: Mapping[str, str] = field(default_factory=dict)
    tests: str = ""
    changed: frozenset[str] = frozenset()
    ports: frozenset[str] = frozenset()
    dbt_checks: Mapping[tuple[str, str], Check] = field(default_factory=dict)
    dbt_runs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    runs_dbt: bool = True
    sources: frozenset[str] = frozenset()
    origins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    verdicts: Mapping[str, Judged] = field(default_factory=dict)


def common_code(mask_key: str | None) -> Any:
    """What counts for the rows of every table. The release of the kit and the versions of its engines are no part of it."""
    return FORMAT, mask_key


def reuse(product: DataProduct, code: TableCode, tables: Mapping[str, str], current: Snapshot | None) -> Reuse:
    """Compare the tables of a product with those of the current snapshot, None when nothing of it may be taken over."""
    manifest = current.manifest if current else {}
    made: Mapping[str, str] = manifest.get("tables") or {}
    changed = {table for table, fingerprint in tables.items() if made.get(table) != fingerprint or code.is_volatile(table)}
    whole = {port.name for port in product.ports if current and _is_whole(port.name, product, current)}
    # The rows that others read are not masked yet: those of the snapshot are.
    masked = {
        port.name for port in product.ports if any(column.mask and column.mask.applies for column in port.contract.columns)
    }
    taken = whole - changed - masked
    modelled = {port.name for port in product.ports if port.notebook is None}
    same_tests = manifest.get("tests") == code.tests
    if not same_tests:
        taken -= code.unit_tested  # dbt runs a unit test with its model
    if not code.in_parts and not (same_tests and modelled <= taken):
        taken -= modelled
    changed |= {port.name for port in product.ports} - taken
    checks = zip(manifest.get("checks", ()), manifest.get("verdicts", ()), strict=False) if same_tests else ()
    known = [(Check.from_json(check), run_id) for check, (_, run_id) in checks if check["origin"] == "dbt"]
    return Reuse(
        tables, code.tests, frozenset(changed), frozenset(taken),
        {(check.table, check.rule): check for check, _ in known},
        {(check.table, check.rule): run_id for check, run_id in known},
        not same_tests or code.tests_volatile or not code.dbt.isdisjoint(changed),
        _sources(product, code, tables, current), _origins(manifest), read_verdicts(manifest),
    )  # fmt: skip


def reuse_of_partitions(product: DataProduct, code: TableCode, tables: Mapping[str, str], current: Snapshot | None) -> Reuse:
    """The results of rules that a build of partitions takes over; its files are those of the partitions that are kept."""
    manifest = current.manifest if current else {}
    ports = {port.name for port in product.ports}
    own = {table: fingerprint for table, fingerprint in tables.items() if "." in table and table not in ports}
    sources = _sources(product, code, tables, current)
    return Reuse(own, sources=sources, origins=_origins(manifest), verdicts=read_verdicts(manifest))


def ports_to_build(
    product: DataProduct, code: TableCode, record: PartitionRecord, made: PartitionRecord | None
) -> frozenset[str]:
    """Return the ports of a partition that are built: all of them, unless it was made from the same inputs."""
    ports = frozenset(port.name for port in product.ports)
    if made is None or not made.ports or _read(made) != _read(record):
        return ports
    due = {port for port in ports if made.ports.get(port) != record.ports[port] or code.is_volatile(port)}
    modelled = {port.name for port in product.ports if port.notebook is None}
    return frozenset(due | (modelled if due & modelled and not code.in_parts else set()))


def port_code(product: DataProduct, code: TableCode, parameters: Mapping[str, Any], mask_key: str | None) -> dict[str, str]:
    """Return the fingerprint of the code of each port of a product with partitions, whatever data it reads."""
    partitions = product.partitions
    cut = (partitions.column, sorted(partitions.inputs.items()), partitions.start is None) if partitions else None
    found = code.fingerprints(parameters, (common_code(mask_key), cut))
    return {port.name: found[port.name] for port in product.ports}


def selection(product: DataProduct, reuse: Reuse, built: Collection[str], key: str | None) -> "Selection | None":
    """Return what dbt runs of a product, or of one partition, whose ports `built` are made; None when it runs everything."""
    from kit.dbt.selection import Selection

    taken = {port.name for port in product.ports if port.notebook is None} - set(built)
    if key is not None:
        models = {model.name for model in Project.read(product.folder).models}
        return Selection(models - taken, taken) if taken else None
    return Selection(reuse.changed, taken, reuse.dbt_checks) if taken or reuse.dbt_checks else None


def verdicts(product: DataProduct, reuse: Reuse, built: Collection[str], run_id: str) -> Verdicts:
    """Return the results that rules of this run take over; the rows of the ports `built` are those of this run."""
    rows = {table: fingerprint for table, fingerprint in reuse.tables.items() if "." in table}
    for port in product.ports:
        run = run_id if port.name in built else reuse.origins.get(port.name, {}).get("run_id", run_id)
        rows[port.name] = rows[port.id] = run
    return Verdicts(rows, reuse.verdicts, run_id, digest(sorted(product.hidden_columns)))


def _sources(product: DataProduct, code: TableCode, tables: Mapping[str, str], current: Snapshot | None) -> frozenset[str]:
    """The quarantining sources, in SQL, whose rows were set aside as they would be now, and that no mask changes."""
    found = set()
    for source in product.sources if current else ():
        table, contract = f"{RAW}.{source.name}", source.contract
        is_same = current is not None and current.manifest.get("tables", {}).get(table) == tables[table]
        if is_same and contract.quarantining and not contract.masked_columns and not code.is_volatile(table) and current:
            aside = quarantine_table(table)
            found |= {table} if aside in current.manifest["ports"] and not current.damage(aside, sums=False) else set()
    return frozenset(found)


def _origins(manifest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The run and the version that built each port of a snapshot."""
    own = {"run_id": manifest.get("run_id", ""), "version": manifest.get("version", "")}
    return {port: {**own, **entry.get("taken_over", {})} for port, entry in manifest.get("ports", {}).items()}


def _read(record: PartitionRecord) -> dict[str, tuple[str, str]]:
    return {name: (item.content, item.column) for name, item in record.inputs.items()}


def _is_whole(port: str, product: DataProduct, current: Snapshot) -> bool:
    """Return whether the snapshot has a port, with the quarantine table that its contract asks for, and nothing damaged."""
    ports: Collection[str] = current.manifest["ports"]
    contract = next(item.contract for item in product.ports if item.name == port)
    tables = [port, *([quarantine_table(port)] if contract.quarantining else [])]
    return (quarantine_table(port) in ports) == bool(contract.quarantining) and all(
        table in ports and not current.damage(table, sums=False) for table in tables
    )
