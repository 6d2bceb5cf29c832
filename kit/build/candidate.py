"""A snapshot in the making: transform, audit, publish."""

import shutil
from pathlib import Path

from kit.build import masking
from kit.build.manifest import manifest
from kit.build.partition_files import carry_over, partition_file, stray_rows
from kit.build.plan import PARTITION, BuildPlan, Parameters, check_partition_parameters, with_partition
from kit.build.progress import Progress
from kit.build.redaction import redact
from kit.contracts import Check, Contract, counts, explain, merged, quarantine_table
from kit.core import AuditFailed, Config, KitError, NotebookError, Secrets, TransformError, counted, database, short, to_json
from kit.mesh import RAW, DataProduct, OutputPort
from kit.notebooks import RUN_FILE, KernelPool, NotebookRun, executor
from kit.quality import AuditTarget, audit, audit_targets, quarantine, quarantining, suite, volume
from kit.storage import Snapshot, Store


class Candidate:
    """A snapshot in the making. `checks` and `notebooks` (executed copies by port) fill as it goes, also when it fails."""

    def __init__(
        self, config: Config, product: DataProduct, store: Store, folder: Path, run_id: str, progress: Progress
    ) -> None:
        self.config = config
        self.product = product
        self.store = store
        self.folder = folder
        self.run_id = run_id
        self.progress = progress
        self.database = folder / "kit_work.duckdb"
        self.staging = Path()
        self.tables: dict[str, list[Path]] = {}
        self.checks: list[Check] = []
        self.notebooks: dict[str, str] = {}

    def make(self, start: BuildPlan) -> None:
        """Transform and audit; raises `KitError` when either fails."""
        product, progress = self.product, self.progress
        for finding in check_partition_parameters(product):
            raise NotebookError(str(finding))
        suite.check_committed(product)
        (self.folder / RAW).mkdir(parents=True)
        aside = [quarantine_table(table) for table in quarantining(product)]
        self.staging = self.store.stage(product.name, [port.name for port in product.ports] + aside)
        progress.step("staging ready")
        self.tables = {name: pinned.files for name, pinned in start.pins.items()}
        self.tables |= {f"raw.{name}": [landing.path] for name, landing in start.landings.items()}
        keys: list[str | None] = list(start.due) if product.partitions else [None]
        with KernelPool([self._sheet(port, key) for key in keys for port in _notebook_order(product)]) as kernels:
            self._sources(start)
            for key in keys:
                self._fill(start, key, kernels)
        if product.partitions:
            self._complete(start)
        for port in product.ports:
            self._judge_aside(port.name, port.contract)
        self._audit("audit", audit_targets(product)[1], start.current)
        self._mask_ports()

    def publish(self, start: BuildPlan) -> Snapshot:
        """Let readers see what was made; raises `KitError` when the product has moved on meanwhile."""
        with self.progress.of(self.product.name, "publish") as say:
            said = manifest(self.config, self.product, start, self.run_id, self.staging, self.tables, self.checks)
            snapshot = self.store.publish(self.product.name, self.staging, said, parent=start.parent, step=self.progress.step)
            say(f"snapshot {snapshot.version}")
        self.database.unlink(missing_ok=True)
        shutil.rmtree(self.folder / RAW, ignore_errors=True)
        return snapshot

    def rows(self) -> dict[str, int]:
        """How many rows of each port were made."""
        with database.connect() as connection:
            made = [port.name for port in self.product.ports if port.name in self.tables]
            return {name: len(database.relation(self.tables[name], connection)) for name in made}

    def discard(self) -> None:
        """Delete what was made, but for the record of it."""
        for folder in (self.staging, self.folder / RAW):
            if folder.name:
                shutil.rmtree(folder, ignore_errors=True)
        self.database.unlink(missing_ok=True)

    def _sources(self, start: BuildPlan) -> None:
        """Judge what was landed, and let what comes later see only what it may."""
        for source in self.product.sources:
            # What was landed stays as it came; the build reads the rest.
            table, rest = f"{RAW}.{source.name}", self.folder / RAW / f"{source.name}.sound.parquet"
            self.tables[table] = [self._set_aside(table, source.contract, self.tables[table][0], rest, None)]
            self._judge_aside(table, source.contract)
        if raw := audit_targets(self.product)[0]:
            self._audit("audit raw", raw, start.current)
            self._mask_sources()

    def _fill(self, start: BuildPlan, key: str | None, kernels: KernelPool) -> None:
        """Make every port, or one partition of every port."""
        if self.product.has_dbt:
            self._transform(key)
        parameters = with_partition(self.product, start.parameters, key) if key else start.parameters
        for port in _notebook_order(self.product):
            self._notebook(port, start, parameters.get(port.name, {}), key, kernels)

    def _complete(self, start: BuildPlan) -> None:
        """Let all partitions together be each port, those just made and those that stay."""
        carry_over(self.product, start, self.staging)
        for port in self.product.ports:
            self.tables[port.name] = self.tables[port.id] = sorted((self.staging / port.name).glob("*.parquet"))
        self._judge(stray_rows(self.product, start, self.staging))

    def _set_aside(self, table: str, contract: Contract, given: Path, rest: Path, key: str | None) -> Path:
        """Set aside the rows of a file that break a quarantining rule; gives the file that holds the others."""
        if not contract.quarantining:
            return given
        aside = self.staging / quarantine_table(table) / partition_file(key)
        return quarantine.set_aside(contract, given, self.tables, quarantine.SplitFile(rest, aside))

    def _set_port_aside(self, name: str, key: str | None) -> None:
        """Do so as soon as a port is made, so that what is made from it agrees with what is published."""
        port, path = self.product.port(name), self.staging / name / partition_file(key)
        if port and path.is_file():
            self._set_aside(name, port.contract, path, path, key)

    def _judge_aside(self, table: str, contract: Contract, key: str | None = None) -> None:
        """See that few enough rows of a table, or of one partition, were set aside."""
        if not contract.quarantining:
            return
        folder = self.staging / quarantine_table(table)
        files = [folder / partition_file(key)] if key else sorted(folder.glob("*.parquet"))
        raw = table.startswith(f"{RAW}.")
        stay = [self.tables[table][0] if raw else self.staging / table / path.name for path in files]
        found = quarantine.checks(contract, table, list(map(quarantine.SplitFile, stay, files)))
        # Of one partition only what stops the build is told; the counts are those of all.
        if key is None or any(check.blocks for check in found):
            self._judge(found)

    def _transform(self, key: str | None) -> None:
        from kit.dbt.runner import transform

        self.database.unlink(missing_ok=True)
        with database.connect(self.database) as connection:
            database.add_views(connection, self.tables)
        self.progress.step("work database ready")
        target = self.folder / "dbt" / key if key else self.folder / "dbt"
        with self.progress.of(self.product.name, "dbt") as say:
            inputs = {path for files in self.tables.values() for path in files if not path.is_relative_to(self.staging)}
            done = transform(
                self.product, self.database, inputs, self.staging, target, self.progress.step,
                lambda name: self._set_port_aside(name, key), key,
            )  # fmt: skip
            say(f"{counted(len(done.models), 'model')}, {counted(len(done.checks), 'test')}{_of(key)}")
        for port in self.product.ports:
            if (self.staging / port.name / partition_file(key)).is_file():
                self._judge_aside(port.name, port.contract, key)
        self._judge(done.checks)
        for port in self.product.ports:
            if port.notebook is None and not self._made(port, key):
                raise TransformError(
                    f"'{self.product.name}': no dbt model wrote the port '{port.name}'; is it enabled and materialized "
                    "`published`? In dbt_project.yml the key below `models:` must be the project's name"
                )

    def _sheet(self, port: OutputPort, key: str | None) -> NotebookRun:
        """Where a notebook runs, and what it finds there."""
        assert port.notebook is not None
        name = _stem(port, key)
        return NotebookRun(
            port.notebook, self.folder / "notebooks" / f"{name}.ipynb", {RUN_FILE: str(self.folder / f"{name}.run.json")}
        )

    def _notebook(
        self, port: OutputPort, start: BuildPlan, parameters: Parameters, key: str | None, kernels: KernelPool
    ) -> None:
        inputs = {}
        for item in port.reads:
            version = start.pins[item.name].snapshot.version if item.name in start.pins else self.run_id
            inputs[item.name] = {"version": version, "files": [str(path) for path in self.tables[item.name]]}
        run = {
            "run_id": self.run_id, "product": self.product.name, "port": port.name, "inputs": inputs,
            "staged": str(self.staging / port.name / partition_file(key)), "contract": str(port.contract.path),
        }  # fmt: skip
        sheet = self._sheet(port, key)
        Path(sheet.environment[RUN_FILE]).write_text(to_json(run), encoding="utf-8")
        self.notebooks[sheet.executed.stem] = str(sheet.executed)
        # What it shows may be what its product masks, and executed copies are kept for everybody.
        output_mb = 0 if any(port.contract.masked_columns for port in self.product.ports) else self.config.notebook_output_mb
        limits = executor.NotebookLimits(self.config.cell_timeout_seconds, output_mb)
        with self.progress.of(self.product.name, "notebook") as say:
            try:
                executor.execute(sheet, parameters, limits, kernels, Secrets.from_environment(self.config))
                if not self._made(port, key):
                    raise NotebookError(f'{short(sheet.notebook)}: ended without kit.output("{port.name}", frame)')
            except NotebookError as error:
                raise NotebookError(f"{error}\nexecuted copy: {sheet.executed}") from None
            self._set_port_aside(port.name, key)
            say(f"{port.name}{_of(key)}")
        self._judge_aside(port.name, port.contract, key)

    def _made(self, port: OutputPort, key: str | None) -> bool:
        """Let what comes later see a port that has been staged, under its short and its full name."""
        path = self.staging / port.name / partition_file(key)
        if path.is_file():
            self.tables[port.name] = self.tables[port.id] = [path]
        return path.is_file()

    def _audit(self, step: str, targets: list[AuditTarget], current: Snapshot | None) -> None:
        with self.progress.of(self.product.name, step) as say:
            found = audit(targets, self.tables, self.config.clock())
            found += volume.checks(targets, self.tables, current.manifest if current else None)
            say(_tally(found))
        self._judge(found)

    def _mask_sources(self) -> None:
        """Let what comes later see raw data only as its contract masks it; what was landed stays as it came."""
        for source in self.product.sources:
            table = f"{RAW}.{source.name}"
            target = self.folder / RAW / f"{source.name}.parquet"
            if source.contract.masked_columns:
                self._mask(table, source.contract, self.tables[table][0], target)
                self.tables[table] = [target]

    def _mask_ports(self) -> None:
        """Replace what was audited by what may be read."""
        for port in self.product.ports:
            if port.contract.masked_columns:
                for path in self.tables[port.name]:
                    target = path.with_suffix(".masked")
                    self._mask(port.name, port.contract, path, target)
                    target.replace(path)

    def _mask(self, table: str, contract: Contract, path: Path, target: Path) -> None:
        with self.progress.of(self.product.name, "mask") as say:
            masking.write(contract, path, target, masking.key(self.config, self.product))
            say(f"{table}: {', '.join(column.name for column in contract.masked_columns)}")

    def _judge(self, checks: tuple[Check, ...]) -> None:
        raw, ports = audit_targets(self.product)
        checks = redact(raw + ports, self.config.clock(), checks)
        self.checks = merged([*self.checks, *checks])
        blocking = [check for check in checks if check.blocks]
        if blocking:
            raise AuditFailed(
                f"'{self.product.name}': {counted(len(blocking), 'check')} failed, nothing was published\n{explain(checks)}"
            )


def _notebook_order(product: DataProduct) -> list[OutputPort]:
    """The notebook ports, each after those of its own product that it reads."""
    from graphlib import CycleError, TopologicalSorter

    ports = {port.id: port for port in product.ports if port.notebook is not None}
    graph = {name: [item.port for item in port.reads if item.port in ports] for name, port in ports.items()}
    try:
        return [ports[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        raise KitError(f"'{product.name}': notebooks read each other in a circle: {' → '.join(error.args[1])}") from None


def _stem(port: OutputPort, key: str | None) -> str:
    """How the files of one execution of a notebook are called."""
    return f"{port.name}.{key}" if key else port.name


def _of(key: str | None) -> str:
    return f", {PARTITION} {key}" if key else ""


def _tally(checks: tuple[Check, ...]) -> str:
    parts = counts(checks)
    text = f"{counted(parts['passed'], 'check')} passed"
    text += f", {parts['failed']} failed" if parts["failed"] else ""
    return text + (f", {counted(parts['warned'], 'warning')}" if parts["warned"] else "")
