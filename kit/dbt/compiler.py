"""The SQL a product runs: its dbt models, tests and hooks with all templates resolved, in most cases without dbt."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kit.contracts import Contract, DocumentReader
from kit.core import Config, ContentCache, KitError, TransformError, mappings, read_text
from kit.core import database as work
from kit.dbt.project import Project, files_below, folder_names, read_loosely
from kit.dbt.runner import dbt_arguments
from kit.dbt.templates import Templates
from kit.mesh import RAW, DataProduct

_DATABASE = "kit_work"
_SECONDS = 120
_YAML = (".yml", ".yaml")
_HOOKS = {"pre-hook", "post-hook", "pre_hook", "post_hook", "on-run-start", "on-run-end"}
# What gives a table or a source another place than its name says, or hands it to a plugin.
_ELSEWHERE = {"alias", "database", "schema", "external_location", "plugin", "latest_version", "versions"}
_ENVIRONMENT = re.compile(r"""env_var\(\s*['"](\w+)""")


@dataclass(frozen=True)
class CompiledStatement:
    """One SQL text of a product: `kind` is model, test or hook, `path` the file it stands in.

    Other tables go by the names the work database knows: "PRODUCT"."PORT", "raw"."SOURCE", or "MODEL" for an own one.
    """

    name: str
    kind: str
    path: Path
    sql: str


def compiled(config: Config, product: DataProduct) -> dict[str, str]:
    """The SQL of every model by its name, as dbt would run it; raises `TransformError` when even dbt cannot tell.

    Other tables go by "PRODUCT"."PORT", "raw"."SOURCE" or "MODEL". Of a partitioned product it is that of one partition.
    """
    return {statement.name: statement.sql for statement in statements(config, product) if statement.kind == "model"}


def statements(config: Config, product: DataProduct) -> tuple[CompiledStatement, ...]:
    """Everything the dbt project of a product runs but generic tests, whose SQL is dbt's own; raises as `compiled` does.

    Templates are rendered here. Where that needs dbt (a macro that asks the database, a package, an alias) `dbt compile`
    runs instead, over empty tables, and is not run again until the project changes.
    """
    try:
        return tuple(_Rendered(config, product).statements())
    except TransformError:
        return _by_dbt(config, product)


class _Rendered:
    """A dbt project rendered without dbt; raises `TransformError` where that cannot be done faithfully."""

    def __init__(self, config: Config, product: DataProduct) -> None:
        self.product = product
        folder = product.folder
        self.settings = read_loosely(folder / "dbt_project.yml")
        self.hooks: list[tuple[Path, Any]] = []
        tops = [folder / part for part in folder_names(self.settings, "model-paths", "models")]
        self.described = {path: read_loosely(path) for top in tops for path, _ in files_below(top) if path.suffix in _YAML}
        if (folder / "packages.yml").exists() or (folder / "dependencies.yml").exists():
            raise TransformError("packages are dbt's business")
        for data in (self.settings, *self.described.values()):
            if moved := _ELSEWHERE & set(_keys(data)):
                raise TransformError(f"'{sorted(moved)[0]}' puts a table elsewhere")
        self.sources = {
            (str(source.get("name")), str(table.get("name"))): str(table.get("identifier") or table.get("name"))
            for data in self.described.values()
            for source in mappings(data.get("sources"))
            for table in mappings(source.get("tables"))
        }
        self.models = {model.name: model.path for model in Project.read(folder).models}
        name = str(self.settings.get("name"))
        self.vars = _variables(self.settings.get("vars"), name) | self._partition(config)
        target = {"name": "duckdb", "type": "duckdb", "schema": "main", "database": _DATABASE, "profile_name": "kit"}
        names = {
            "ref": self.ref, "source": self.source, "var": self.var, "env_var": _env_var, "config": self.config,
            "is_incremental": lambda: False, "target": target, "execute": True, "project_name": name,
            "log": lambda *_, **__: "", "tojson": json.dumps, "fromjson": json.loads,
        }  # fmt: skip
        folders = [folder / part for part in folder_names(self.settings, "macro-paths", "macros")]
        self.templates = Templates(folders, names)

    def statements(self) -> Iterator[CompiledStatement]:
        for name, path in self.models.items():
            if path.suffix == ".sql":
                yield CompiledStatement(name, "model", path, self.render(path, name))
        for part in folder_names(self.settings, "test-paths", "tests"):
            for path, place in files_below(self.product.folder / part):
                if path.suffix == ".sql" and place[:1] not in (("generic",), ("fixtures",)):
                    yield CompiledStatement(path.stem, "test", path, self.render(path, path.stem))
        documents = {self.product.folder / "dbt_project.yml": self.settings, **self.described}
        for path, value in [*self.hooks, *((path, hook) for path, data in documents.items() for hook in _hooks(data))]:
            for text in _texts(value):
                yield CompiledStatement(path.stem, "hook", path, self.templates.render(text, this=_relation("this")))

    def render(self, path: Path, name: str) -> str:
        self.path = path
        return self.templates.render(read_text(path), this=_relation(name), model={"name": name}).strip()

    def ref(self, *names: str, **version: Any) -> str:
        if version or not names or names[-1] not in self.models:
            raise TransformError(f"ref{names} is no model")
        return _relation(names[-1])

    def source(self, source: str, table: str) -> str:
        if (source, table) not in self.sources:
            raise TransformError(f"source('{source}', '{table}') is declared nowhere")
        return _relation(f"{source}.{self.sources[source, table]}")

    def var(self, name: str, default: Any = None) -> Any:
        if name not in self.vars and default is None:
            raise TransformError(f"the variable '{name}' has no value")
        return self.vars.get(name, default)

    def config(self, *mappings: Mapping[str, Any], **settings: Any) -> str:
        for given in (*mappings, settings):
            if _ELSEWHERE & given.keys():
                raise TransformError("its table goes by another name")
            self.hooks += [(self.path, value) for key, value in given.items() if key in _HOOKS]
        return ""

    def _partition(self, config: Config) -> dict[str, str]:
        partitions = self.product.partitions
        return {"partition": next(iter(partitions.all(config.clock())), str(partitions.start))} if partitions else {}


def _relation(name: str) -> str:
    return work.quoted(name)


def _env_var(name: str, default: str | None = None) -> str:
    value = os.environ.get(name, default)
    if value is None:
        raise TransformError(f"the environment variable '{name}' has no value")
    return value


def _variables(given: object, project: str) -> dict[str, Any]:
    """The variables of dbt_project.yml, those for the project itself before those for all."""
    values = given if isinstance(given, dict) else {}
    own = values.get(project)
    return {**values, **(own if isinstance(own, dict) else {})}


def _keys(value: Any) -> Iterator[str]:
    """Every key below a value, but those of rows and columns, which may have any name."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key).removeprefix("+")
            if key not in ("unit_tests", "columns", "vars"):
                yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


def _hooks(value: Any) -> Iterator[Any]:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if str(key).removeprefix("+") in _HOOKS:
            yield item
        else:
            yield from _hooks(item)


def _texts(hook: Any) -> list[str]:
    items = hook if isinstance(hook, list) else [hook]
    return [str(item.get("sql") or "") if isinstance(item, dict) else str(item) for item in items if item]


def _by_dbt(config: Config, product: DataProduct) -> tuple[CompiledStatement, ...]:
    """What `dbt compile` makes of the project, remembered by the content of all that it depends on."""
    tables = _tables(config, product)
    named = sorted({name for path in product.folder.rglob("*.sql") for name in _ENVIRONMENT.findall(read_text(path))})
    seen = [f"{name}={os.environ.get(name)}" for name in named]
    remembered = ContentCache(config.cache / "compiled" / product.name)
    key = ContentCache.key(str(product.folder), product.code_digest(), repr(tables), *seen)
    known = remembered.lookup(key)
    if known is None:
        known = json.dumps([asdict(item) for item in _compile(config, product, tables)], default=str)
        remembered.put(key, known)
    remembered.save()
    return tuple(CompiledStatement(**{**item, "path": Path(item["path"])}) for item in json.loads(known))


def _tables(config: Config, product: DataProduct) -> dict[str, dict[str, str]]:
    """The columns of every table whose contract can be read, for templates that ask the database."""
    contracts = {f"{RAW}.{source.name}": source.contract for source in product.sources}
    contracts |= {port.name: port.contract for port in product.ports}
    for item in product.inputs:
        _, _, name = item.port.partition(".")
        path = config.domains / item.product / "contracts" / f"{name}.odcs.yaml"
        with suppress(KitError):
            contracts[item.name] = Contract.load(path, DocumentReader(config.cache))
    return {table: {column.name: column.type for column in contract.columns} for table, contract in contracts.items()}


def _compile(config: Config, product: DataProduct, tables: Mapping[str, Mapping[str, str]]) -> Iterator[CompiledStatement]:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / f"{_DATABASE}.duckdb"
        with work.connect(database) as connection:
            work.add_tables(connection, tables)
        partitions = product.partitions
        partition = next(iter(partitions.all(config.clock())), None) if partitions else None
        arguments = dbt_arguments("compile", product, Path(folder), partition)
        ports = ",".join(port.name for port in product.ports)
        given = {"KIT_WORK_DATABASE": str(database), "KIT_STAGING": folder, "KIT_PORTS": ports, "KIT_FILE": "data"}
        try:
            done = subprocess.run(
                [sys.executable, "-c", "from dbt.cli.main import cli; cli()", *arguments, "--log-level", "error"],
                env={**os.environ, **given},
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TransformError(f"'{product.name}': dbt did not compile the project in {_SECONDS} s") from None
        if done.returncode:
            # What the ending interpreter says on stderr is no reason.
            said = " ".join((done.stdout.strip() or done.stderr).split())
            raise TransformError(f"'{product.name}': dbt cannot compile the project: {said[-600:]}")
        manifest = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "test", "operation")]
    names = {node["relation_name"]: _relation(node["name"]) for node in manifest["nodes"].values() if node.get("relation_name")}
    for node in nodes:
        if node.get("test_metadata"):
            continue
        path = product.folder / node["original_file_path"]
        kind = {"operation": "hook"}.get(node["resource_type"], node["resource_type"])
        code = node.get("compiled_code") or node.get("raw_code") or ""
        for relation, name in names.items():
            code = code.replace(relation, name)
        yield CompiledStatement(node["name"], kind, path, code.replace(f'"{_DATABASE}".', "").strip())
        for text in _texts([*node["config"].get("pre-hook", ()), *node["config"].get("post-hook", ())]):
            yield CompiledStatement(node["name"], "hook", path, text)
