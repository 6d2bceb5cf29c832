"""Runs the dbt project of a product in this process, on a work database."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import Any

from kit.contracts import SAMPLES, Check
from kit.core import TransformError, counted, machine_problem, make_folder, sandbox, short, write_durably
from kit.core import database as work
from kit.dbt.committed import check_macros
from kit.dbt.parsed import ParsedOnce
from kit.dbt.project import TAG, Project, is_contract_test, package_folders
from kit.dbt.selection import TESTS, Selected, Selection, check_place
from kit.mesh import DataProduct

_PROFILES = Path(__file__).parent
_NO_ARTIFACTS = "--no-write-json"
"""dbt's manifest and results are read from what it returns; as files they take as long as its parsing."""
_TABLES = ("model", "snapshot")
_LEAKED = "ignore:resource_tracker:UserWarning"
_MISMATCH = re.compile(r"\| (\S+) +\| ([^|]*?) *\| ([^|]*?) *\| (data type mismatch|missing in \w+) *\|")
_CLASS = re.compile(
    r"^([A-Z]\w+ Error in \w+ \S+ \(\S+\):? )?"
    r"(An error occurred during execution of unit test '.*?'\. There may be an error in the unit test definition: "
    r"check the data types\. ([A-Z]\w+ Error )?)?([A-Z]\w+ Error: )?"
)


def quiet_locks() -> None:
    """Let a lock of dbt that an interrupt leaves half made be cleaned up without a warning on standard error.

    Another process of Python does so after the end of this one. It gets the options for warnings that this one has when it is
    started: now, and this process keeps its own, by which its worker is found.
    """
    sys.warnoptions.append(_LEAKED)
    try:
        ensure_running()
    finally:
        sys.warnoptions.remove(_LEAKED)


@dataclass(frozen=True)
class TransformResult:
    """The models that a dbt build made, and the outcome of every dbt test and unit test; `earlier` are those it did not run."""

    models: tuple[str, ...]
    checks: tuple[Check, ...]
    earlier: frozenset[tuple[str, str]] = frozenset()


def transform(
    product: DataProduct,
    database: Path,
    inputs: Iterable[Path],
    staging: Path,
    target: Path,
    on_node: Callable[[str], None] = lambda name: None,
    on_model: Callable[[str], None] = lambda name: None,
    partition: str | None = None,
    only: Sequence[str] = (),
    parsed: Path | None = None,
    selection: Selection | None = None,
    once: ParsedOnce | None = None,
) -> TransformResult:
    """Build the models of a product: marts as Parquet below `staging`, all others in `database`.

    Models read `inputs` (the files behind the views of the database) and their own seeds, and write only below `staging`.
    dbt keeps compiled SQL in the folder `target`. With a `partition`, only that one is built; models
    get its key as the variable `partition`. With `only`, these models are built with those they read, without tests and
    contracts, and each of them may be written below `staging`, whether it is a port or not. `parsed` is the file in which dbt
    keeps what it parsed, from one build to the next; it reads files of the project again that have changed since. With a
    `selection`, only what has changed is built and tested, and the results of other tests are those of before. Runs that share
    `once` parse the project once.
    `on_node` is called with the name of each finished node; `on_model` with that of each built model, before others read
    it: an error it raises fails the model. Failed tests are returned as checks. Raises `TransformError` for a failed model
    and for a project that dbt cannot parse, `InvalidFile` for macros of another kit.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner
    from dbt.constants import PARTIAL_PARSE_FILE_NAME

    quiet_locks()
    _leave_out_needless_work()

    def listen(event: Any) -> None:
        if event.info.name == "SQLQuery" and "use_tmp_file" in event.data.sql.lower():
            # The one way to overwrite an input: DuckDB's list of allowed files makes no difference between read and write.
            raise TransformError("the option use_tmp_file lets a model overwrite its inputs; remove it")
        if event.info.name == "NodeFinished":
            node = event.data.node_info
            if node.resource_type in _TABLES and node.node_status == "success":
                on_model(node.node_name)
            on_node(node.node_name)

    def parse() -> Any:
        return dbtRunner().invoke(dbt_arguments("parse", product, target, partition)).result

    check_macros(product.folder)
    made = Project.read(product.folder).models if only else [port for port in product.ports if port.notebook is None]
    ports = ",".join(item.name for item in made)
    files = list(inputs)
    sandbox.declare(database, [*files, *_seeds(product)], [staging])
    before = list(map(_fingerprint, files))
    settings = {
        "KIT_WORK_DATABASE": str(database),
        "KIT_STAGING": str(staging),
        "KIT_PORTS": ports,
        "KIT_FILE": partition or "data",
        "KIT_ENFORCE": "" if only else "contracts",
    }
    selected = Selected(selection) if selection else None
    with _environment(**settings), _without_contract_tests(), selected.applied() if selected else nullcontext():
        try:
            arguments = dbt_arguments("build", product, target, partition)
            if only:
                arguments += ["--select", *(f"+{name}" for name in only), "--exclude-resource-type", "test", "unit_test"]
            arguments += ["--partial-parse-file-path", str(parsed)] if parsed and parsed.is_file() else []
            # Nobody reads the files of the manifest, which dbt writes twice.
            result = dbtRunner(once and once.manifest(parse), callbacks=[listen]).invoke([*arguments, _NO_ARTIFACTS])
        finally:
            # Without this the file stays locked and the next project inherits this one's connection.
            DuckDBConnectionManager.close_all_connections()
    if parsed:
        _keep(target / PARTIAL_PARSE_FILE_NAME, parsed)
    if isinstance(result.exception, KeyboardInterrupt | SystemExit):
        raise result.exception
    if changed := [path for path, old in zip(files, before, strict=True) if _fingerprint(path) != old]:
        raise TransformError(
            f"'{product.name}': a model overwrote its input {short(changed[0])}, a published file; correct the model, and "
            "rebuild the product of that file with `kit run PRODUCT --force`"
        )
    nodes = list(getattr(result.result, "results", None) or ())
    if not nodes and not (selected and result.success):
        raise TransformError(f"'{product.name}': dbt could not run the project: {_text(result.exception) or 'no model found'}")
    failed = [node for node in nodes if node.status == "error"]
    if failed:
        details = "\n".join(_failure(product, node) for node in failed)
        raise TransformError(f"'{product.name}': dbt failed at {len(failed)} of {len(nodes)} nodes: {details}")
    models = tuple(node.node.name for node in nodes if node.node.resource_type in _TABLES)
    checks = _checks([node for node in nodes if node.node.resource_type in TESTS], database)
    ran = {node.node.unique_id for node in nodes}
    earlier = (
        frozenset(check_place(test) for uid, test in selected.tests.items() if uid not in ran) if selected else frozenset()
    )
    checks += [selection.known[place] for place in earlier] if selection else []
    # In an order that does not depend on what was run.
    return TransformResult(models, tuple(sorted(checks, key=lambda check: (check.table, check.rule))), earlier)


def manifest(folder: Path, target: Path, *options: str) -> Any:
    """Return dbt's manifest of the project in a folder, whatever its profile is; raises `TransformError` when dbt refuses it.

    dbt keeps its files in the folder `target`.
    """
    from dbt.cli.main import dbtRunner

    quiet_locks()
    _leave_out_needless_work()
    settings = {"KIT_WORK_DATABASE": str(target / "kit_work.duckdb"), "KIT_STAGING": "", "KIT_PORTS": "", "KIT_FILE": ""}
    with _environment(**settings):
        result = dbtRunner().invoke([*_arguments("parse", folder, target), "--profile", "kit", _NO_ARTIFACTS, *options])
    if not result.success:
        raise TransformError(f"dbt cannot read the project: {_text(result.exception) or 'it gives no reason'}")
    return result.result


def dbt_arguments(command: str, product: DataProduct, target: Path, partition: str | None = None) -> list[str]:
    """Return the arguments of a dbt command; the environment names the work database and the folder of marts."""
    arguments = _arguments(command, product.folder, target) + (["--exclude", f"tag:{TAG}"] if command == "build" else [])
    return arguments + (["--vars", json.dumps({"partition": partition})] if partition else [])


def _arguments(command: str, folder: Path, target: Path) -> list[str]:
    return [
        command, "--project-dir", str(folder), "--profiles-dir", str(_PROFILES), "--target-path", str(target),
        "--log-path", str(target), "--log-level", "none", "--log-level-file", "none", "--quiet", "--no-use-colors",
        "--no-version-check", "--no-send-anonymous-usage-stats",
    ]  # fmt: skip


def _leave_out_needless_work() -> None:
    """Make dbt leave out, in every build of this process, what takes time and changes no result."""
    from dbt.adapters.duckdb.credentials import DuckDBCredentials
    from dbt_common.behavior_flags import BehaviorFlagRendered
    from dbt_common.tests import enable_test_caching

    # Otherwise dbt parses its own five hundred macros again for each project, half of the time of a small build.
    enable_test_caching()
    # What dbt parsed would hold for one path of the database only, which differs in each build.
    DuckDBCredentials._connection_keys = _connection_keys
    # A name in a message that nobody sees, which dbt finds by reading the source of all its callers.
    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt")  # type: ignore[method-assign]


def _connection_keys(_: object) -> tuple[str, ...]:
    """Return the settings of a connection that models can see when they are parsed; all others are constants of the profile."""
    return ("database", "schema")


def _keep(written: Path, parsed: Path) -> None:
    """Keep what dbt parsed, if it came so far; dbt parses everything where the file is missing or damaged."""
    with suppress(OSError):
        make_folder(parsed.parent)
        write_durably(parsed, written.read_bytes())


def _seeds(product: DataProduct) -> list[Path]:
    """Return the files that dbt itself loads."""
    projects = map(Project.read, (product.folder, *package_folders(product.folder)))
    return [model.path.resolve() for project in projects for model in project.models if model.path.suffix == ".csv"]


def _fingerprint(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _checks(nodes: Sequence[Any], database: Path) -> list[Check]:
    if not nodes:
        return []
    with work.connect(database, read_only=True) as connection:
        sandbox.confine_as_declared(connection, database)
        return [_check(node, connection) for node in nodes]


def _check(node: Any, connection: Any) -> Check:
    test = node.node
    table, name = check_place(test)
    passed = node.status in ("pass", "success", "skipped")
    declared = str(getattr(test.config, "severity", "error")).lower()
    severity = "warning" if node.status == "warn" or (passed and declared == "warn") else "error"
    if passed:
        return Check(table, name, "dbt", True, severity)
    if test.resource_type == "unit_test":
        return Check(table, name, "dbt", False, severity, _text(node.message))
    rows = connection.execute(f"select * from ({test.compiled_code}) limit {SAMPLES}")
    names = [column[0] for column in rows.description]
    samples = tuple(dict(zip(names, map(str, row), strict=True)) for row in rows.fetchall())
    observed = counted(node.failures, "row")
    return Check(table, name, "dbt", False, severity, observed, node.failures, samples, test.description or "")


def _failure(product: DataProduct, node: Any) -> str:
    """Return where and why a node failed; for errors in the SQL of a model dbt blames a unit test, which runs before it."""
    path, reason = node.node.original_file_path, sandbox.explain(_reason(node.message))
    if node.node.resource_type != "unit_test":
        return f"{path}: {reason}"
    tested = next((model.path for model in Project.read(product.folder).models if model.name == node.node.model), None)
    model = tested.relative_to(product.folder) if tested else node.node.model
    return f"{model}: {reason}; the unit test '{node.node.name}' in {path} found it, whose rows may also have other types"


def _text(error: object) -> str:
    return machine_problem(str(error or "")) or " ".join(str(error or "").split())


def _reason(message: object) -> str:
    """Return what dbt says about a node, without the name of the node and the class of the error."""
    text = _CLASS.sub("", _text(message))
    if differing := _MISMATCH.findall(text):  # a table in the message of dbt's enforced contracts
        return "; ".join(_mismatch(*row) for row in differing)
    return text


def _mismatch(column: str, made: str, promised: str, reason: str) -> str:
    if reason == "missing in definition":
        return f"the column '{column}' is missing"
    if reason == "missing in contract":
        return f"the column '{column}' is not in the contract"
    kind = promised.lower()
    return f"the column '{column}' is {made.lower()}, the contract says {kind}; cast it: ({column})::{kind}"


@contextmanager
def _without_contract_tests() -> Iterator[None]:
    """Keep dbt from parsing the tests that `dbt_arguments` excludes from a build; parsing one takes milliseconds."""
    from dbt.parser.schema_generic_tests import SchemaGenericTestParser as Parser

    parse = Parser.parse_test

    def parse_others(self: Any, block: Any, test: Any, column: Any, version: Any) -> None:
        if not is_contract_test(test):
            parse(self, block, test, column, version)

    Parser.parse_test = parse_others
    try:
        yield
    finally:
        Parser.parse_test = parse


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
