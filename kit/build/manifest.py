"""What a snapshot says about itself: what it was made from, what it holds, and what was found of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kit.build import masking
from kit.build.plan import BuildPlan
from kit.contracts import Check, counts, quarantine_table
from kit.core import Config, __version__, current_commit, database
from kit.mesh import DataProduct, OutputPort
from kit.quality import quarantine, quarantining
from kit.storage import port_facts, product_facts


def manifest(
    config: Config,
    product: DataProduct,
    start: BuildPlan,
    run_id: str,
    staging: Path,
    tables: database.Tables,
    checks: Sequence[Check],
) -> dict[str, Any]:
    """The manifest of what lies in `staging`, as JSON values; `tables` has the files of each port under its short name."""
    with database.connect() as connection:
        database.add_views(connection, tables)
        ports = {port.name: _port(connection, port, checks) for port in product.ports}
    sources: dict[str, dict[str, Any]] = {
        name: {"digest": landing.digest, "rows": landing.rows} for name, landing in start.landings.items()
    }
    for table, contract in quarantining(product).items():
        files = sorted((staging / quarantine_table(table)).glob("*.parquet"))
        kind, _, source = table.rpartition(".")
        whole = sources[source] if kind else ports[table]
        whole["quarantined"] = quarantine.rows_set_aside(files)
        ports[quarantine_table(table)] = quarantine.entry(table, contract, files)
    mask_key = masking.key(config, product)
    return {
        "run_id": run_id,
        "about": product_facts(product),
        "product_version": str(product.version),
        "kit_version": __version__,
        "git_commit": current_commit(config.root),
        "fingerprint": start.fingerprint,
        "mask_key": masking.fingerprint(mask_key) if mask_key else None,
        "partitions": {**start.kept, **start.due},
        "inputs": {pinned.port: pinned.to_json() for pinned in start.pins.values()},
        "sources": sources,
        "parameters": start.parameters,
        "ports": ports,
        "checks": [check.to_json() for check in checks],
    }


def _port(connection: Any, port: OutputPort, checks: Sequence[Check]) -> dict[str, Any]:
    column = port.contract.sla.latency_column
    newest = f"max({database.quoted(column)})" if column else "null"
    query = f"select count(*), {newest} from {database.quoted(port.name)}"
    rows, newest_value = connection.execute(query).fetchone() or (0, None)
    return {
        "contract_version": str(port.contract.version),
        "rows": rows,
        "newest": str(newest_value) if newest_value is not None else None,
        "masked": {column.name: column.mask.kind for column in port.contract.masked_columns if column.mask},
        "checks": counts(check for check in checks if check.table == port.name),
        "about": port_facts(port),
    }
