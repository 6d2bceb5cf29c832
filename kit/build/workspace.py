"""The tables of one build, trial or preview: what it reads, what it makes from that, and the checks of both."""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kit.build import masking
from kit.build.incremental import add_bases, growing_models, write_grown
from kit.build.notebook_ports import PARTITION, Parameters
from kit.build.partition_files import link, partition_file
from kit.build.progress import Progress
from kit.build.redaction import hidden_names, hidden_values, redact, without_values
from kit.contracts import Check, Contract, counts, explain, merged, quarantine_table
from kit.core import (
    CUT,
    AuditFailed,
    Config,
    ContentCache,
    Secrets,
    counted,
    current_commit,
    database,
    each_text,
    make_folder,
    sandbox,
    sha256,
)
from kit.dbt.committed import PROFILES, macros_path, sources_folder
from kit.ingest import LandedSource
from kit.language_models import Models, SentPort, refusal
from kit.mesh import RAW, DataProduct, OutputPort, Partitions
from kit.notebooks import MADE, Ask, KernelPool, NotebookLimits, NotebookRun, execute
from kit.quality import AuditTarget, Verdicts, audit_targets, check_tables, quarantine
from kit.storage import Pin, Runs, Snapshot, partition_key

if TYPE_CHECKING:
    from kit.dbt.parsed import ParsedOnce
    from kit.dbt.runner import TransformResult
    from kit.dbt.selection import Selection

_INPUTS = "inputs"  # below the folder: the rows of one partition


class Workspace:
    """Tables of one product in the making, which readers cannot see.

    `folder` has the work database, raw data as models may read it, compiled SQL and executed notebooks; `staging` a folder
    for each table to be published. `tables` are Parquet files by the name that SQL and notebooks use. `checks` and
    `notebooks` (executed copies by port and partition) are complete up to the step that fails.
    """

    def __init__(
        self,
        config: Config,
        product: str,
        folder: Path,
        *,
        run_id: str = "",
        progress: Progress | None = None,
        targets: Sequence[AuditTarget] = (),
    ) -> None:
        """`targets` are all tables whose checks are recorded; values of their masked columns are left out of `checks`."""
        self.config = config
        self.product = product
        self.folder = folder
        self.staging = folder / "staged"
        self.run_id = run_id
        self.progress = progress or Progress()
        self.targets = targets
        self.hidden = hidden_names(targets)
        self.database = folder / "kit_work.duckdb"
        self._private: tempfile.TemporaryDirectory[str] | None = None
        self._once: ParsedOnce | None = None
        self.tables: dict[str, list[Path]] = {}
        self.landed: dict[str, list[Path]] = {}
        self.versions: dict[str, str] = {}
        self.partitioned: dict[str, str | None] = {}
        self.checks: list[Check] = []
        self.verdicts = Verdicts(run_id=run_id)
        self.notebooks: dict[str, str] = {}

    @cached_property
    def commit(self) -> str | None:
        """The commit of the code of this build, the same in all that it writes; see `current_commit`."""
        return current_commit(self.config.root)

    # Inputs

    def add_inputs(self, pins: Mapping[str, Pin]) -> None:
        """Make the pinned ports readable."""
        self.tables |= {name: pin.files for name, pin in pins.items()}
        self.versions |= {name: pin.snapshot.version for name, pin in pins.items()}
        self.partitioned = {name: pin.snapshot.manifest.get("partition_column") for name, pin in pins.items()}

    def add_sources(
        self, product: DataProduct, landed: Mapping[str, LandedSource], *, audited: bool = True, last: Snapshot | None = None,
        same: Collection[str] = (),
    ) -> None:  # fmt: skip
        """Make landed sources readable: without the rows set aside, audited (raises `AuditFailed`), and masked.

        The landed files themselves stay as they are. The snapshot `last` set the rows of the sources `same` aside.
        """
        (self.folder / RAW).mkdir(parents=True, exist_ok=True)
        self.tables |= {f"{RAW}.{name}": [source.path] for name, source in landed.items()}
        self.landed = {f"landed {name}": [source.path] for name, source in landed.items()}
        raw, _ = audit_targets(product)
        for target in raw:
            file = self.folder / RAW / f"{target.table}.sound.parquet"
            sound = self._set_aside_before(last, target.table, file) if last and target.table in same else None
            sound = sound or self.set_aside(target.table, target.contract, self.tables[target.table][0], file)
            self.tables[target.table] = [sound]
        if audited and raw:
            self.check("audit raw", raw, last)
        for target in raw:
            if target.contract.masked_columns:
                file = self.folder / RAW / f"{target.table}.parquet"
                self.mask(product, target, self.tables[target.table][0], file)
                self.tables[target.table] = [file]

    def _set_aside_before(self, last: Snapshot, table: str, file: Path) -> Path | None:
        """The rows of a source without those that a snapshot set aside; None when they were not kept.

        They lie where dbt by itself reads them, after a build that set rows aside.
        """
        entry, landed = last.manifest["sources"][table.partition(".")[2]], self.tables[table][0]
        kept = sources_folder(self.config.storage, self.product) / f"{table.partition('.')[2]}.parquet"
        if entry.get("quarantined"):
            if not kept.is_file() or sha256(kept) != entry.get("sound"):
                return None
            link(kept, file)
        (aside,) = last.paths(quarantine_table(table))
        link(aside, self.staging / quarantine_table(table) / aside.name)
        return file if entry.get("quarantined") else landed

    @contextmanager
    def rows_of(self, partitions: Partitions | None, key: str | None) -> Iterator[None]:
        """Make only the rows of one partition readable in the inputs that are declared so."""
        columns = partitions.inputs if partitions and key else {}
        whole = {name: self.tables[name] for name in columns}
        for name, column in columns.items():
            assert partitions is not None
            file = self.rows_folder(key) / f"{name}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            rows = f"{partition_key(column, daily=partitions.start is not None)} = {database.literal(key)}"
            files = whole[name]
            if self.partitioned.get(name) == column:
                files = [path for path in files if path.name == partition_file(key)] or files
            with database.connect() as connection:
                database.add_views(connection, {"input": files})
                connection.execute(f"copy (select * from input where {rows}) to {database.literal(str(file))} (format parquet)")
            self.tables[name] = [file]
        try:
            yield
        finally:
            self.tables |= whole
            shutil.rmtree(self.rows_folder(key), ignore_errors=True)

    def rows_folder(self, key: str | None) -> Path:
        """The folder for the rows of one partition."""
        return self.folder / _INPUTS / str(key)

    # Making tables

    def transform(
        self, product: DataProduct, key: str | None = None, only: Sequence[str] = (), selection: "Selection | None" = None,
        bases: Mapping[str, Sequence[Path]] = MappingProxyType({}),
    ) -> "TransformResult":  # fmt: skip
        """Run the dbt project over all tables, or the models `only` and what they read; raises `TransformError`.

        With a `selection` only what has changed is run. `bases` are the published rows with which incremental models
        and snapshots begin; without them these make all of their rows.

        Rows to be set aside leave each port as soon as it is made, so that its readers agree with what is published.
        """
        from kit.dbt.runner import transform

        def set_port_aside(model: str) -> None:
            if port := product.port(model):
                self.set_port_aside(port, key)

        shows_secrets = self._shows_secrets(product)
        if self._private is None and shows_secrets and self.folder.is_relative_to(self.config.storage):
            self._private = self._temporary()
            self.database = Path(self._private.name, self.database.name)
        self.database.unlink(missing_ok=True)
        with database.connect(self.database) as connection:
            database.add_views(connection, {name: files for name, files in self.tables.items() if name not in bases})
            add_bases(connection, self.config, product.name, bases)
        self.progress.step("work database ready")
        # dbt writes secrets and values of queries into its files; a build that is killed leaves them outside of the storage.
        with self.progress.timed(self.product, "dbt") as set_result, self._temporary() as target:
            # The key of a partition is a variable, with which dbt parses everything again. What it parsed has values of
            # environment variables, and names the folder of seeds.
            is_kept = not key and not shows_secrets and product.folder.parent == self.config.domains
            folder = ContentCache.key(str(product.folder))[:16]
            parsed = self.config.cache / "parsed" / f"{self.product}-{folder}.msgpack" if is_kept else None
            inputs = {path for files in self.tables.values() for path in files if not path.is_relative_to(self.staging)}
            try:
                result = transform(
                    product, self.database, inputs, self.staging, Path(target), self.progress.step, set_port_aside, key, only,
                    parsed, selection, self._parsed_once(product) if key else None,
                )  # fmt: skip
            finally:
                self._keep_compiled(Path(target, "compiled"), self.folder / "dbt" / (key or ""))
            if not only and (grown := growing_models(product)):
                write_grown(self.database, [grown[name] for name in result.models if name in grown], self.staging)
            set_result(f"{counted(len(result.models), 'model')}, {counted(len(result.checks), 'test')}{in_partition(key)}")
        return result

    def _parsed_once(self, product: DataProduct) -> "ParsedOnce | None":
        """What dbt parsed for another partition; None when it has to parse for each of them."""
        from kit.dbt.parsed import ParsedOnce, parses_alike

        if self._once is None and parses_alike(product.folder):
            self._once = ParsedOnce()
        return self._once

    def _shows_secrets(self, product: DataProduct) -> bool:
        """Whether views in the work database, and what dbt parsed, may contain a secret."""
        # dbt names folders in its target like files. The kit's own macros read no variable but those of a build, which uses
        # another profile than the committed one.
        paths = (path for path in product.folder.rglob("*") if path.suffix in (".sql", ".yml", ".yaml") and path.is_file())
        generated = (macros_path(product.folder), product.folder / PROFILES)
        templates = (path for path in paths if path not in generated)
        return bool(self.secrets.values) and any(b"env_var" in path.read_bytes() for path in templates)

    def _temporary(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix=f"kit-{self.run_id}-", ignore_cleanup_errors=True)

    def _keep_compiled(self, compiled: Path, target: Path) -> None:
        """Keep the SQL that dbt ran, without secrets; none of a product that hides columns, whose values may be in it."""
        for path in compiled.rglob("*.sql") if not self.hidden else ():
            kept = target / path.relative_to(compiled)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(self.secrets.scrubbed(path.read_text(encoding="utf-8")), encoding="utf-8")

    def run_notebook(self, run: NotebookRun, reads: Iterable[str], parameters: Parameters, kernels: KernelPool) -> None:
        """Execute a notebook with the tables it `reads`; raises `NotebookError`, also when it hands over no table."""
        inputs = {
            name: {"version": self.versions.get(name, self.run_id), "files": [str(path) for path in self.tables[name]]}
            for name in reads
        }
        run.write(self.run_id, self.product, inputs)
        limits = NotebookLimits(self.config.cell_timeout_seconds, self.output_mb)
        execute(run, parameters, limits, kernels, self.scrubbed)
        run.take()

    def take_over(self, port: OutputPort, folder: Path, key: str | None = None) -> None:
        """Make a port of a snapshot readable in its `folder`: what is made now reads it."""
        self.tables[port.name] = self.tables[port.id] = [folder / port.name / partition_file(key)]

    def keep_executed(self, name: str, run_id: str) -> None:
        """Keep the executed copy of a notebook whose port is taken over from another run, so that this run shows it."""
        origin = Runs(self.config.storage).folder(self.product, run_id)
        for path in (Path("notebooks", f"{name}.ipynb"), Path("notebooks", f"{name}.log"), Path(f"{name}.run.json")):
            if (origin / path).is_file():
                (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
                link(origin / path, self.folder / path)
        if (executed := self.folder / "notebooks" / f"{name}.ipynb").is_file():
            self.notebooks[name] = str(executed)

    def add_port(self, port: OutputPort, key: str | None = None) -> bool:
        """Make a staged port readable under its short and its full name; False when nothing was staged."""
        path = self.staging / port.name / partition_file(key)
        if path.is_file():
            self.tables[port.name] = self.tables[port.id] = [path]
        return path.is_file()

    # Secrets and hidden values

    @cached_property
    def secrets(self) -> Secrets:
        """The secrets of this process; raises `ConfigError` for a setting that names none."""
        return Secrets.from_environment(self.config)

    @property
    def output_mb(self) -> int:
        """How much output of notebooks is kept. Executed copies are open to everybody: they have none of hidden values."""
        return 0 if self.hidden else self.config.notebook_output_mb

    def scrubbed(self, value: Any) -> Any:
        """Return a text, or nested lists and mappings of texts, without secrets and the values of hidden columns."""
        value = self.secrets.scrubbed(value)
        texts: set[str] = set()

        def note(text: str) -> str:
            texts.add(text)
            return text

        if self.hidden:
            each_text(value, note)
        if not texts - {"", CUT}:
            return value
        values = hidden_values(texts, {**self.tables, **self.landed}, self.hidden)
        return each_text(value, lambda text: text if text == CUT else without_values(text, values)) if values else value

    # Language models

    @cached_property
    def models(self) -> Models:
        """The language models of the mesh, and what this workspace has asked of them."""
        return Models(self.config, self.scrubbed)

    @property
    def model_counts(self) -> dict[str, dict[str, Any]]:
        """What was asked of each model so far, as JSON values."""
        asked = self.__dict__.get("models")  # a build that asks nothing makes none
        return {name: usage.to_json() for name, usage in sorted(asked.usage.items())} if asked else {}

    def asked_since(self, before: Mapping[str, Mapping[str, Any]]) -> str:
        """What was asked of models since these counts, as a part of a progress line; empty for nothing."""
        sums = {
            kind: sum(now[kind] - before.get(name, {}).get(kind, 0) for name, now in self.model_counts.items())
            for kind in ("answered", "cached", "failed")
        }
        parts = [counted(sums["answered"], "answer") + " of models"] if sums["answered"] else []
        parts += [f"{sums['cached']:,} asked before"] if sums["cached"] else []
        parts += [counted(sums["failed"], "question") + " failed"] if sums["failed"] else []
        return f"; {', '.join(parts)}" if parts else ""

    def ask(self, ports: Sequence[SentPort]) -> Ask:
        """Return the function that asks models for a notebook which reads these ports."""
        return lambda name, question: self.models.ask(name, question, lambda settings: refusal(settings, ports))

    @property
    def model_keys(self) -> set[str]:
        """The environment variables that no notebook gets: with a key it could ask a model past the contracts."""
        return {model.key_env for model in self.config.models.values() if model.key_env}

    # Checks

    def set_aside(self, table: str, contract: Contract, file: Path, target: Path, key: str | None = None) -> Path:
        """Set aside the rows of a file that break a quarantining rule; return the file with the others, `target` or `file`."""
        aside = self.staging / quarantine_table(table) / partition_file(key)
        if contract.quarantining:
            aside.parent.mkdir(parents=True, exist_ok=True)
        return quarantine.set_aside(contract, file, self.tables, quarantine.SplitFile(target, aside), self.hidden)

    def set_port_aside(self, port: OutputPort, key: str | None) -> None:
        """Set aside rows of a port that was just made."""
        path = self.staging / port.name / partition_file(key)
        if path.is_file():
            self.set_aside(port.name, port.contract, path, path, key)

    def check_rows_set_aside(self, port: OutputPort, key: str | None, folder: Path | None = None) -> None:
        """Raise `AuditFailed` as soon as a port, or one partition of it, has lost too many rows; by default a staged one."""
        folder = folder or self.staging
        path = folder / port.name / partition_file(key)
        if port.contract.quarantining and path.is_file():
            aside = folder / quarantine_table(port.name) / path.name
            checks = quarantine.checks(port.contract, port.name, [quarantine.SplitFile(path, aside)])
            # The check of one partition is recorded only when it ends the build: the recorded counts are those of all.
            if key is None or any(check.blocks for check in checks):
                self.record_checks(checks)

    def check(self, step: str, targets: Sequence[AuditTarget], last: Snapshot | None) -> None:
        """Check tables as a whole and compare them with the `last` snapshot; raises `AuditFailed`."""
        split = {target.table: self._split_files(target.table) for target in targets}
        with self.progress.timed(self.product, step) as set_result:
            checks = check_tables(
                targets, self.tables, split, self.config.clock(), last.manifest if last else None, self.verdicts
            )
            set_result(_tally(checks))
        self.record_checks(checks)

    def record_checks(self, checks: Iterable[Check]) -> None:
        """Add checks to those of this run, without hidden values; raises `AuditFailed` when one of them blocks."""
        redacted = redact(self.targets, self.config.clock(), checks)
        checks = [Check.from_json(self.secrets.scrubbed(check.to_json())) for check in redacted]
        self.checks = merged([*self.checks, *checks])
        blocking = [check for check in checks if check.blocks]
        if blocking:
            raise AuditFailed(
                f"'{self.product}': {counted(len(blocking), 'check')} failed, nothing was published\n{explain(checks)}"
            )

    def _split_files(self, table: str) -> list[quarantine.SplitFile]:
        """Each file of a table with the file of rows set aside of it."""
        files = sorted((self.staging / quarantine_table(table)).glob("*.parquet"))
        raw = table.startswith(f"{RAW}.")
        rest = [self.tables[table][0] if raw else self.staging / table / path.name for path in files]
        return list(map(quarantine.SplitFile, rest, files))

    # Masks

    def mask_ports(self, product: DataProduct) -> None:
        """Replace the values of masked columns in every port; one that masks any is always made, and never taken over."""
        for target in audit_targets(product)[1]:
            if target.contract.masked_columns:
                for path in self.tables[target.table]:
                    masked = path.with_suffix(".masked")
                    self.mask(product, target, path, masked)
                    masked.replace(path)

    def mask(self, product: DataProduct, target: AuditTarget, file: Path, masked: Path) -> None:
        """Write a file of a table with masked values to `masked`."""
        with self.progress.timed(self.product, "mask") as set_result:
            masking.write(target.contract, file, masked, masking.key(self.config, product))
            set_result(f"{target.table}: {', '.join(column.name for column in target.contract.masked_columns)}")

    # What is left

    def discard_private(self) -> None:
        """Delete the tables of a failed build that contain hidden values or secrets; others stay for a look at them."""
        if self.hidden or self._private:
            self.discard()

    def rows(self, ports: Iterable[str]) -> dict[str, int]:
        """The number of rows of each port that was made."""
        with database.connect() as connection:
            return {name: len(database.relation(self.tables[name], connection)) for name in ports if name in self.tables}

    def keep_sources(self, folder: Path) -> None:
        """Keep each source as models read it, for dbt outside of builds: a link to the landed file where that is the same.

        The tables of this workspace are incomplete afterwards.
        """
        for table, files in self.tables.items():
            schema, _, source = table.partition(".")
            if schema == RAW and files == self.landed.get(f"landed {source}"):
                link = folder / f".{source}.{self.run_id}"
                make_folder(folder)
                link.symlink_to(os.path.relpath(files[0], folder))
                link.replace(folder / f"{source}.parquet")
            elif schema == RAW:
                make_folder(folder)
                files[0].replace(folder / f"{source}.parquet")

    def discard(self) -> None:
        """Delete all tables that were made; compiled SQL and executed notebooks stay."""
        if self._private:
            self._private.cleanup()
        for folder in (self.staging, self.folder / RAW, self.folder / _INPUTS, self.folder / MADE):
            shutil.rmtree(folder, ignore_errors=True)
        sandbox.discard(self.database)


def in_partition(key: str | None) -> str:
    """The partition as a part of a progress line."""
    return f", {PARTITION} {key}" if key else ""


def _tally(checks: tuple[Check, ...]) -> str:
    number = counts(checks)
    text = f"{counted(number['passed'], 'check')} passed"
    text += f", {number['failed']} failed" if number["failed"] else ""
    return text + (f", {counted(number['warned'], 'warning')}" if number["warned"] else "")
