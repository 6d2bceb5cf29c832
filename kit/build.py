"""The one path from inputs to a published snapshot: pin, ingest, transform, audit, publish, record."""

import hashlib
import json
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kit import index, ingest, notebook, work
from kit.asset import RUN_FILE
from kit.audit import Subject, audit
from kit.card import port_facts, product_facts
from kit.checks import Check, counts, explain
from kit.config import Config
from kit.contract import Version
from kit.errors import AuditFailed, KitError, NotebookError, NotPublished, TransformError
from kit.files import no_step, short, to_json
from kit.ingest import Landing
from kit.product import DataProduct, InputPort, OutputPort
from kit.runs import Record, Runs
from kit.store import Snapshot, Store
from kit.version import __version__

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Pin:
    """One input port fixed to one snapshot for a whole build."""

    port: str
    snapshot: Snapshot

    @property
    def files(self) -> list[Path]:
        """The Parquet files of the pinned port."""
        return self.snapshot.files(self.port.partition(".")[2])

    def to_json(self) -> dict[str, Any]:
        """What a manifest says about the input."""
        entry = self.snapshot.port(self.port.partition(".")[2])
        return {"version": self.snapshot.version, "contract_version": entry["contract_version"], "files": entry["files"]}


@dataclass(frozen=True)
class Outcome:
    """How the build of one product ended. `status`: published, up to date, held, or failed."""

    product: str
    status: str
    seconds: float
    version: str | None = None
    message: str = ""
    checks: tuple[Check, ...] = ()


@dataclass
class Progress:
    """Listens to a build: `begin` and `end` frame each step, `step` passes every named point inside.

    `seconds` is what each kind of step has taken so far.
    """

    begin: Callable[[str, str], None] = lambda product, step: None
    end: Callable[[str, str, str, float], None] = lambda product, step, result, seconds: None
    step: Callable[[str], None] = no_step
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, product: str, step: str) -> Iterator[Callable[[str], None]]:
        """Time one step; what the caller says about its result is passed on."""
        result = [""]
        started = time.perf_counter()
        self.begin(product, step)
        yield lambda text: result.__setitem__(0, text)
        seconds = time.perf_counter() - started
        self.seconds[step] = round(self.seconds.get(step, 0) + seconds, 3)
        self.end(product, step, result[0], seconds)
        self.step(f"{step} done")


def build(
    config: Config,
    product: DataProduct,
    *,
    force: bool = False,
    parameters: Parameters | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Build one product and publish it if nothing stands against it.

    Nothing is done when code, contracts, inputs and parameters are those of the current snapshot, unless `force`.
    `parameters` are for the product's notebooks. A failure is recorded and returned, never raised: readers keep the
    last good snapshot. Raises `Busy` when another process builds the product.
    """
    progress = progress or Progress()
    store, runs = Store(config.storage), Runs(config.storage)
    started, clock = datetime.now(UTC), time.perf_counter()
    with store.building(product.name), ExitStack() as held:
        progress.seconds = {}
        run_id = runs.new_id()
        candidate = _Candidate(config, product, store, runs.folder(product.name, run_id), run_id, progress)
        try:
            status, version, message = _attempt(candidate, parameters or {}, force, held)
        except KitError as error:
            status, version, message = "failed", None, str(error)
        except Exception as error:  # a full disk, a bug: told like any failure, and the other products go on
            status, version, message = "failed", None, f"{type(error).__name__}: {error}{_keep_trace(candidate.folder)}"
        record = Record(
            run_id=run_id, product=product.name, status=status, started_at=started, finished_at=datetime.now(UTC),
            version=version, message=message, steps=progress.seconds, checks=tuple(candidate.checks),
            parameters=dict(parameters or {}), notebooks=candidate.notebooks,
        )  # fmt: skip
        try:
            runs.save(record)
            index.update(config, product)
        except (KitError, OSError) as error:
            message += f"\nand the record of the run could not be written: {error}"
        progress.step("recorded")
        return Outcome(product.name, status, time.perf_counter() - clock, version, message, tuple(candidate.checks))


def _attempt(candidate: "_Candidate", parameters: Parameters, force: bool, held: ExitStack) -> tuple[str, str | None, str]:
    """Build unless there is nothing to do; gives status, version and message."""
    store, product = candidate.store, candidate.product
    pointer = store.pointer(product.name)
    try:
        current = store.current(product.name)
    except KitError:
        if not force:
            raise
        current = None  # its files are gone; building anew is the way out
    if current:
        store.mend(product.name)
    given = _parameters(product, parameters)
    pins = pin(store, product, held)
    landings = _land(candidate.config, product, candidate.progress)
    fingerprint = _fingerprint(product, pins, landings, given)
    if current and pointer and not force:
        if current.fingerprint == fingerprint:
            return "up to date", current.version, ""
        if fingerprint in pointer.rejected:
            return "held", current.version, "rolled back from just this code and these inputs; change something, or use --force"
    parent = pointer.version if pointer else None
    return "published", candidate.make(pins, landings, given, fingerprint, parent).version, ""


def _keep_trace(folder: Path) -> str:
    """Keep the traceback of the error at hand in the run's folder; gives a line that says where."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
    except OSError:
        return ""
    return f"\ntraceback: {folder / 'error.txt'}"


def pin(store: Store, product: DataProduct, held: ExitStack) -> dict[str, Pin]:
    """Fix every input port to the provider's current snapshot, held against pruning until `held` is closed.

    All ports of one provider come from one snapshot. Raises `NotPublished` or `KitError`.
    """
    snapshots: dict[str, Snapshot] = {}
    pins = {}
    for item in product.inputs:
        if item.product not in snapshots:
            snapshots[item.product] = held.enter_context(store.open(item.product))
        pins[item.port] = Pin(item.port, snapshots[item.product])
        _check_version(product, item, pins[item.port])
    return pins


def _check_version(product: DataProduct, item: InputPort, pinned: Pin) -> None:
    ports = pinned.snapshot.manifest["ports"]
    entry = ports.get(item.port.partition(".")[2])
    offered = Version.parse(entry["contract_version"]) if entry else None
    if offered is None or not offered.serves(item.version):
        raise NotPublished(
            f"'{product.name}' reads {item.port} {item.version}, but the current snapshot of '{item.product}' has "
            f"{f'version {offered}' if offered else 'no such port'}; run `kit run {item.product}` first"
        )


def _land(config: Config, product: DataProduct, progress: Progress) -> dict[str, Landing]:
    if not product.sources:
        return {}
    with progress.of(product.name, "ingest") as say:
        landings = {source.name: ingest.land(product, source, config.storage / "raw") for source in product.sources}
        say(f"{_count(len(landings), 'source')}, {sum(landing.rows for landing in landings.values()):,} rows")
    return landings


def declared_parameters(product: DataProduct) -> dict[str, dict[str, notebook.Parameter]]:
    """What the notebooks of a product can be given, by port and name."""
    return {port.name: notebook.parameters(port.notebook) for port in product.ports if port.notebook is not None}


def _parameters(product: DataProduct, given: Parameters) -> dict[str, dict[str, Any]]:
    """The given parameters by the notebook port that declares them, checked; all of them must find a place."""
    if not given:
        return {}
    placed = {}
    for name, declared in declared_parameters(product).items():
        port = product.port(name)
        if port and port.notebook:
            mine = {key: value for key, value in given.items() if key in declared}
            placed[name] = notebook.check_parameters(port.notebook, declared, mine)
    for key in given:
        if not any(key in values for values in placed.values()):
            raise NotebookError(f"no notebook of '{product.name}' has a parameter '{key}'")
    return placed


def _fingerprint(product: DataProduct, pins: Mapping[str, Pin], landings: Mapping[str, Landing], parameters: Parameters) -> str:
    """A digest of all that decides what would be published. Inputs count by content, not by version."""
    parts = {
        "kit": __version__,
        "code": product.code_digest(),
        "inputs": {
            port: {key: value for key, value in pinned.to_json().items() if key != "version"} for port, pinned in pins.items()
        },
        "sources": {name: landing.digest for name, landing in landings.items()},
        "parameters": parameters,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class _Candidate:
    """A snapshot in the making."""

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

    def make(
        self,
        pins: dict[str, Pin],
        landings: dict[str, Landing],
        parameters: Mapping[str, Parameters],
        fingerprint: str,
        parent: str | None,
    ) -> Snapshot:
        """Transform, audit and publish; raises `KitError` at the first of them that fails."""
        product, progress = self.product, self.progress
        self.folder.mkdir(parents=True)
        self.staging = self.store.stage(product.name, [port.name for port in product.ports])
        progress.step("staging ready")
        self.tables = {port: pinned.files for port, pinned in pins.items()}
        self.tables |= {f"raw.{name}": [landing.path] for name, landing in landings.items()}
        if landings:
            self._audit("audit raw", [Subject(f"raw.{source.name}", source.contract) for source in product.sources])
        if product.has_dbt:
            self._transform()
        for port in _notebook_order(product):
            self._notebook(port, pins, parameters.get(port.name, {}))
        self._audit("audit", [Subject(port.name, port.contract, port.suite) for port in product.ports])
        with progress.of(product.name, "publish") as say:
            manifest = self._manifest(pins, landings, parameters, fingerprint)
            snapshot = self.store.publish(product.name, self.staging, manifest, parent=parent, step=progress.step)
            say(f"snapshot {snapshot.version}")
        self.database.unlink(missing_ok=True)
        return snapshot

    def _transform(self) -> None:
        from kit.transform import transform

        with work.connect(self.database) as connection:
            work.add_views(connection, self.tables)
        self.progress.step("work database ready")
        with self.progress.of(self.product.name, "dbt") as say:
            done = transform(self.product, self.database, self.staging, self.folder / "dbt", self.progress.step)
            say(f"{_count(len(done.models), 'model')}, {_count(len(done.checks), 'test')}")
        self._judge(done.checks)
        for port in self.product.ports:
            if port.notebook is None and not self._made(port):
                raise TransformError(
                    f"'{self.product.name}': no dbt model wrote the port '{port.name}'; is it enabled and materialized "
                    "`published`? In dbt_project.yml the key below `models:` must be the project's name"
                )

    def _notebook(self, port: OutputPort, pins: Mapping[str, Pin], parameters: Parameters) -> None:
        if port.notebook is None:
            return
        inputs = {}
        for item in port.reads:
            version = pins[item.port].snapshot.version if item.port in pins else self.run_id
            inputs[item.port] = {"version": version, "files": [str(path) for path in self.tables[item.port]]}
        run = {
            "run_id": self.run_id, "product": self.product.name, "port": port.name, "inputs": inputs,
            "staging": str(self.staging), "contract": str(port.contract.path),
        }  # fmt: skip
        run_file = self.folder / f"{port.name}.run.json"
        run_file.write_text(to_json(run), encoding="utf-8")
        executed = self.folder / "notebooks" / f"{port.name}.ipynb"
        self.notebooks[port.name] = str(executed)
        limits = notebook.Limits(self.config.cell_timeout_seconds, self.config.notebook_output_mb)
        with self.progress.of(self.product.name, "notebook") as say:
            try:
                notebook.execute(port.notebook, executed, parameters, limits, {RUN_FILE: str(run_file)})
                if not self._made(port):
                    raise NotebookError(f'{short(port.notebook)}: ended without kit.output("{port.name}", frame)')
            except NotebookError as error:
                raise NotebookError(f"{error}\nexecuted copy: {executed}") from None
            say(port.name)

    def _made(self, port: OutputPort) -> bool:
        """Let the rules see a port that has been staged, under its short and its full name."""
        files = sorted((self.staging / port.name).glob("*.parquet"))
        if files:
            self.tables[port.name] = self.tables[port.id] = files
        return bool(files)

    def _audit(self, step: str, subjects: list[Subject]) -> None:
        with self.progress.of(self.product.name, step) as say:
            found = audit(subjects, self.tables, self.config.clock())
            say(_tally(found))
        self._judge(found)

    def _judge(self, checks: tuple[Check, ...]) -> None:
        self.checks += checks
        blocking = [check for check in checks if check.blocks]
        if blocking:
            raise AuditFailed(
                f"'{self.product.name}': {_count(len(blocking), 'check')} failed, nothing was published\n{explain(checks)}"
            )

    def _manifest(
        self, pins: Mapping[str, Pin], landings: Mapping[str, Landing], parameters: Parameters, fingerprint: str
    ) -> dict[str, Any]:
        ports = {}
        with work.connect() as connection:
            work.add_views(connection, self.tables)
            for port in self.product.ports:
                table = work.quoted(port.name)
                column = port.contract.sla.latency_column
                newest = f"max({work.quoted(column)})" if column else "null"
                rows, newest_value = connection.execute(f"select count(*), {newest} from {table}").fetchone() or (0, None)
                ports[port.name] = {
                    "contract_version": str(port.contract.version),
                    "rows": rows,
                    "newest": str(newest_value) if newest_value is not None else None,
                    "checks": counts(check for check in self.checks if check.table == port.name),
                    "about": port_facts(port),
                }
        return {
            "run_id": self.run_id,
            "about": product_facts(self.product),
            "product_version": str(self.product.version),
            "kit_version": __version__,
            "git_commit": _git_commit(self.config.root),
            "fingerprint": fingerprint,
            "inputs": {port: pinned.to_json() for port, pinned in pins.items()},
            "sources": {name: {"digest": landing.digest, "rows": landing.rows} for name, landing in landings.items()},
            "parameters": parameters,
            "ports": ports,
            "checks": [check.to_json() for check in self.checks],
        }


def _notebook_order(product: DataProduct) -> list[OutputPort]:
    """The notebook ports, each after those of its own product that it reads."""
    from graphlib import CycleError, TopologicalSorter

    ports = {port.id: port for port in product.ports if port.notebook is not None}
    graph = {name: [item.port for item in port.reads if item.port in ports] for name, port in ports.items()}
    try:
        return [ports[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        raise KitError(f"'{product.name}': notebooks read each other in a circle: {' → '.join(error.args[1])}") from None


def _git_commit(root: Path) -> str | None:
    """The commit the mesh is at, with `-dirty` when files differ from it; None outside a git checkout."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _tally(checks: tuple[Check, ...]) -> str:
    parts = counts(checks)
    text = f"{_count(parts['passed'], 'check')} passed"
    text += f", {parts['failed']} failed" if parts["failed"] else ""
    return text + (f", {_count(parts['warned'], 'warning')}" if parts["warned"] else "")
