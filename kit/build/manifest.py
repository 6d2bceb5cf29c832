"""The manifest of a snapshot: inputs it was made from, its tables, the results of its checks."""

from collections import Counter
from typing import Any

from kit.build.plan import BuildPlan
from kit.build.workspace import Workspace
from kit.contracts import Check, counts, quarantine_table
from kit.core import __version__, database, sha256
from kit.mesh import RAW, DataProduct, OutputPort, Partitions
from kit.quality import quarantine, quarantining
from kit.storage import facts_of, hidden_since, partitions_to_json, with_facts


def manifest(workspace: Workspace, product: DataProduct, plan: BuildPlan) -> dict[str, Any]:
    """The manifest of the staged ports, as JSON values."""
    inputs = plan.inputs
    with database.connect() as connection:
        database.add_views(connection, workspace.tables)
        ports = {port.name: _port(connection, port, workspace, plan) for port in product.ports}
    sources: dict[str, dict[str, Any]] = {
        name: {
            "digest": source.digest,
            "rows": source.rows,
            "delivered": source.delivered.isoformat(),
            **({"kind": source.kind} if source.kind else {}),
            **({"increment": source.increment} if source.increment else {}),
            **({"origins": [origin.to_json() for origin in source.origins]} if source.origins else {}),
        }
        for name, source in inputs.sources.items()
    }
    for name, content in plan.contents.items():
        if name.startswith(f"{RAW}."):
            sources[name.partition(".")[2]]["partitions"] = content
    for table, contract in quarantining(product).items():
        files = sorted((workspace.staging / quarantine_table(table)).glob("*.parquet"))
        raw, _, source = table.rpartition(".")
        entry = sources[source] if raw else ports[table]
        entry["quarantined"] = quarantine.rows_set_aside(files)
        if raw and entry["quarantined"] and not contract.masked_columns:
            entry["sound"] = sha256(workspace.tables[table][0])  # the next build may find the rows that stay where it kept them
        ports[quarantine_table(table)] = quarantine.entry(table, contract, files)
    made = {
        "run_id": workspace.run_id,
        "kit_version": __version__,
        "git_commit": workspace.commit,
        "code": plan.code,
        "fingerprint": plan.fingerprint,
        "tables": plan.reuse.tables,
        "tests": plan.reuse.tests,
        "mask_key": inputs.mask_key,
        "hidden": sorted(product.hidden_columns),
        "hidden_since": hidden_since(product, plan.current, workspace.run_id),
        **partitions_to_json({**plan.kept, **plan.due}),
        **(_declaration(product.partitions) if product.partitions else {}),
        "inputs": {pin.port: pin.to_json() for pin in inputs.pins.values()},
        "sources": sources,
        "parameters": inputs.parameters,
        "ports": ports,
        "checks": [check.to_json() for check in workspace.checks],
        "verdicts": [_verdict(workspace, check) for check in workspace.checks],
    }
    return with_facts(made, facts_of(product))


def _verdict(workspace: Workspace, check: Check) -> tuple[str, str]:
    """The key by which a later build takes a result over, empty for none, and the run that judged it."""
    return workspace.verdicts.judged.get((check.table, check.rule, check.origin), ("", workspace.run_id))


def _declaration(partitions: Partitions) -> dict[str, Any]:
    """How the product is partitioned: every port has the key in this column."""
    return {"partition_column": partitions.column, "daily": partitions.start is not None}


def _port(connection: Any, port: OutputPort, workspace: Workspace, plan: BuildPlan) -> dict[str, Any]:
    column = port.contract.sla.latency_column
    newest = f"max({database.quoted(column)})" if column else "null"
    query = f"select count(*), {newest} from {database.quoted(port.name)}"
    rows, newest_value = connection.execute(query).fetchone() or (0, None)
    taken = {"taken_over": plan.reuse.origins[port.name]} if port.name not in plan.built else {}
    own = [check for check in workspace.checks if check.table == port.name]
    masks = {column.name: column.mask for column in port.contract.columns if column.mask}
    generalised = {name: mask.to for name, mask in masks.items() if mask.to is not None}
    return {
        "rows": rows,
        "newest": str(newest_value) if newest_value is not None else None,
        "masked": {name: mask.kind for name, mask in masks.items()},
        **({"generalised": generalised} if generalised else {}),
        "checks": counts(own),
        "judged": dict(Counter(_verdict(workspace, check)[1] for check in own)),
        **taken,
    }
