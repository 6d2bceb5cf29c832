"""The order of work in a workspace: inputs, raw data, models and notebooks of each partition, checks, masks."""

from pathlib import Path

from kit.build.incremental import growing_models
from kit.build.model_use import sent_ports
from kit.build.notebook_ports import Parameters, check_partition_parameters, notebook_order, with_partition
from kit.build.partition_files import carry_over, partition_file, stray_rows
from kit.build.places import notebook_places
from kit.build.plan import BuildPlan
from kit.build.reuse import selection, verdicts
from kit.build.safety import check_safety
from kit.build.workspace import Workspace, in_partition
from kit.contracts import quarantine_table
from kit.core import NotebookError, TransformError
from kit.mesh import DataProduct, OutputPort
from kit.notebooks import KernelPool, NotebookRun
from kit.quality import audit_targets, quarantining, suite
from kit.storage import Store


def make(workspace: Workspace, product: DataProduct, plan: BuildPlan) -> None:
    """Make, check and mask all ports of a product as planned, in the staging folder of its store.

    Raises `AuditFailed` when a check blocks, another `KitError` when a port cannot be made.
    """
    check_safety(workspace.config, product)  # again: `ingest.py` may write in the folder
    for finding in check_partition_parameters(product):
        raise NotebookError(str(finding))
    suite.check_committed(product)
    tables = [port.name for port in product.ports] + [quarantine_table(table) for table in quarantining(product)]
    workspace.folder.mkdir(parents=True, exist_ok=True)
    workspace.staging = Store(workspace.config.storage).stage(product.name, workspace.run_id, tables)
    workspace.progress.step("staging ready")
    workspace.add_inputs(plan.inputs.pins)
    workspace.verdicts = verdicts(product, plan.reuse, plan.built, workspace.run_id)
    keys: list[str | None] = list(plan.due) if product.partitions else [None]
    order = notebook_order(product)
    made = [(port, key) for key in keys for port in order if not plan.taken_from(port.name, key)]
    runs = [_notebook_run(workspace, product, plan, port, key) for port, key in made]
    with KernelPool(runs, workspace.secrets, workspace.output_mb, workspace.model_keys) as kernels:
        workspace.add_sources(product, plan.inputs.sources, last=plan.current, same=plan.reuse.sources)
        for key in keys:
            parameters = with_partition(product, plan.inputs.parameters, key) if key else plan.inputs.parameters
            with workspace.rows_of(product.partitions, key):
                for port in product.ports:
                    if folder := plan.taken_from(port.name, key):
                        workspace.take_over(port, folder, key)
                if product.has_dbt:
                    _run_models(workspace, product, plan, key)
                for port in order:
                    if (port, key) in made:
                        _run_notebook(workspace, product, plan, port, parameters.get(port.name, {}), key, kernels)
                    elif plan.current:
                        workspace.keep_executed(_execution(port, key), plan.current.manifest["run_id"])
                    workspace.check_rows_set_aside(port, key, plan.taken_from(port.name, key))
    carry_over(workspace.config, product, plan, workspace.staging)
    for port in product.ports:
        files = sorted((workspace.staging / port.name).glob("*.parquet"))
        workspace.tables[port.name] = workspace.tables[port.id] = files
    if product.partitions:
        workspace.record_checks(stray_rows(product, plan, workspace.staging))
    workspace.check("audit", audit_targets(product)[1], plan.current)
    workspace.mask_ports(product)


def _run_models(workspace: Workspace, product: DataProduct, plan: BuildPlan, key: str | None) -> None:
    """Make the ports of dbt models that are built; raises `TransformError` for a port that no model wrote."""
    made = [port for port in product.ports if port.notebook is None]
    selected = selection(product, plan.reuse, plan.ports[key], key)
    runs = key is not None or selected is None or plan.reuse.runs_dbt
    bases = published_bases(product, plan)
    result = workspace.transform(product, key, selection=selected, bases=bases) if runs else None
    for port in made:
        workspace.check_rows_set_aside(port, key, plan.taken_from(port.name, key))
    workspace.record_checks(result.checks if result else plan.reuse.dbt_checks.values())
    for table, rule in result.earlier if result else plan.reuse.dbt_checks:
        workspace.verdicts.judged[table, rule, "dbt"] = "", plan.reuse.dbt_runs.get((table, rule), "")
    for port in made:
        if not plan.taken_from(port.name, key) and not workspace.add_port(port, key):
            raise TransformError(
                f"'{product.name}': no dbt model wrote the port '{port.name}'; is it enabled and materialized "
                "`published`? In dbt_project.yml the key below `models:` must be the project's name"
            )


def published_bases(product: DataProduct, plan: BuildPlan) -> dict[str, list[Path]]:
    """The published files with which incremental models and snapshots that are built begin, but those made anew."""
    published = plan.current.manifest["ports"] if plan.current else {}
    names = (growing_models(product).keys() & plan.ports.get(None, frozenset()) & published.keys()) - plan.anew
    return {name: plan.current.paths(name) for name in sorted(names)} if plan.current else {}


def _run_notebook(
    workspace: Workspace, product: DataProduct, plan: BuildPlan, port: OutputPort, parameters: Parameters, key: str | None,
    kernels: KernelPool,
) -> None:  # fmt: skip
    """Make the port of a notebook, or one partition of it."""
    run = _notebook_run(workspace, product, plan, port, key)
    workspace.notebooks[run.name] = str(run.executed)
    before = workspace.model_counts
    with workspace.progress.timed(product.name, "notebook") as set_result:
        try:
            workspace.run_notebook(run, [item.name for item in port.reads], parameters, kernels)
        except NotebookError as error:
            raise NotebookError(f"{error}\nexecuted copy: {run.executed}") from None
        workspace.set_port_aside(port, key)
        workspace.add_port(port, key)
        set_result(f"{port.name}{in_partition(key)}{workspace.asked_since(before)}")


def _notebook_run(
    workspace: Workspace, product: DataProduct, plan: BuildPlan, port: OutputPort, key: str | None
) -> NotebookRun:
    """The execution of a port's notebook for one partition."""
    assert port.notebook is not None
    staged, own = workspace.staging / port.name / partition_file(key), []
    for read in (item.port.partition(".")[2] for item in port.reads if item.product == product.name):
        folder = plan.taken_from(read, key)
        own.append(folder / read / partition_file(key) if folder else workspace.staging / read)
    cut = product.partitions.inputs if product.partitions and key else {}
    pinned = [file for item in port.reads if item.name not in cut for file in workspace.tables.get(item.name, ())]
    if cut:
        own.append(workspace.rows_folder(key))
        own[-1].mkdir(parents=True, exist_ok=True)
    places = notebook_places(workspace.config, product.name, product.folder, [*own, *pinned])
    execution = _execution(port, key)
    ask = workspace.ask(list(sent_ports(product, port, plan.inputs.pins, key)))
    return NotebookRun(port.notebook, port.name, execution, workspace.folder, staged, places, port.contract.path, ask)


def _execution(port: OutputPort, key: str | None) -> str:
    """The name of the executed copy of a port's notebook."""
    return f"{port.name}.{key}" if key else port.name
