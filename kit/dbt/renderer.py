"""Renders a dbt project without dbt, in milliseconds instead of seconds; refuses a project that only dbt can render."""

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.core import Config, FolderDigests, Secrets, TransformError, read_text
from kit.core import database as work
from kit.dbt.project import SNAPSHOT, Project, files_below, folder_names, read_loosely, singular_tests, source_tables
from kit.dbt.templates import DbtValue, Templates
from kit.mesh import DataProduct, leads_out

DATABASE = "kit_work"
"""The name of the database that compiled SQL is written for, as dbt quotes it in the name of a table."""

HOOKS = {"pre-hook", "post-hook", "pre_hook", "post_hook", "on-run-start", "on-run-end", "sql_header"}
"""The settings that hold SQL which dbt runs beside models."""

_YAML = (".yml", ".yaml")
_OTHER_TEXT = {
    "alias", "database", "event_time", "external_location", "latest_version", "plugin", "quoting", "schema", "versions",
}  # fmt: skip
"""Settings that change the name of a table, its SQL, or the plugin that reads it."""

_NO_SETTINGS = {"columns", "data_tests", "tests", "unit_tests", "vars"}
_OTHER_FILES = ("packages.yml", "dependencies.yml", ".dbtignore")
_OTHER_MACROS = {"generate_alias_name", "generate_database_name", "generate_schema_name", "is_incremental"}
_TARGET = DbtValue(
    name="duckdb", target_name="duckdb", type="duckdb", schema="main", database=DATABASE, profile_name="kit", threads=1
)


@dataclass(frozen=True)
class CompiledStatement:
    """One SQL text of a product: `kind` is model, test or hook, `path` the file that contains it.

    Other tables go by their names in the work database: "PRODUCT"."PORT", "raw"."SOURCE", or "MODEL" for an own one.
    """

    name: str
    kind: str
    path: Path
    sql: str


@dataclass(frozen=True)
class _Rendering:
    """What was rendered of a project, or why only dbt can render it, and the environment variables that it read."""

    key: tuple[object, ...]
    environment: Mapping[str, str | None]
    statements: tuple[CompiledStatement, ...] = ()
    refused: str = ""


_KEPT = 8
_renderings: OrderedDict[Path, _Rendering] = OrderedDict()
"""The projects that were rendered last in this process, by folder."""


def rendered(config: Config, product: DataProduct) -> tuple[CompiledStatement, ...]:
    """Return the statements of `RenderedProject`, which are rendered once in this process until something changes.

    Raises `TransformError` for a project that only dbt can render.
    """
    digest = FolderDigests(None).of(product.folder)
    key = (digest, product.name, *_partition(config, product).items())
    known = _renderings.pop(product.folder, None)
    if known is None or known.key != key or known.environment != _environment(config, known.environment):
        project = RenderedProject(config, product)
        try:
            known = _Rendering(key, project.read, tuple(project.statements()))
        except TransformError as error:
            known = _Rendering(key, project.read, refused=str(error))
    if digest and not leads_out(product.folder):
        _renderings[product.folder] = known
        if len(_renderings) > _KEPT:
            _renderings.popitem(last=False)
    if known.refused:
        raise TransformError(known.refused)
    return known.statements


def _environment(config: Config, names: Mapping[str, str | None]) -> dict[str, str | None]:
    """The values of environment variables as templates read them."""
    values = Secrets.from_environment(config).replaced_in() if names else {}
    return {name: values.get(name) for name in names}


def _partition(config: Config, product: DataProduct) -> dict[str, str]:
    """The variable `partition` of a product that has some."""
    partitions = product.partitions
    return {"partition": next(iter(partitions.all(config.clock())), str(partitions.start))} if partitions else {}


class RenderedProject:
    """The SQL of one dbt project; `statements` raises `TransformError` for a project that only dbt can render.

    `environment` are the environment variables that templates read; secrets have no values there, since the SQL is kept.
    `read` are those that they have read, with their values.
    """

    def __init__(self, config: Config, product: DataProduct) -> None:
        self.product = product
        self.environment = Secrets.from_environment(config).replaced_in()
        self.read: dict[str, str | None] = {}
        self.settings = read_loosely(product.folder / "dbt_project.yml")
        self.hooks: list[tuple[Path, Any]] = []
        kinds = (("model-paths", "models"), ("snapshot-paths", "snapshots"))
        folders = [product.folder / part for kind in kinds for part in folder_names(self.settings, *kind)]
        self.described = {path: read_loosely(path) for top in folders for path, _ in files_below(top) if path.suffix in _YAML}
        self.sources = source_tables(self.described.values())
        self.models = {model.name: model.path for model in Project.read(product.folder).models}
        self.project = str(self.settings.get("name"))
        self.vars = _variables(self.settings.get("vars"), self.project) | _partition(config, product)
        names = {
            "ref": self._ref, "source": self._source, "var": self._var, "env_var": self._env_var, "config": self._config,
            "is_incremental": lambda: False, "target": _TARGET, "execute": True,
            "project_name": self.project, "log": lambda *_, **__: "", "tojson": json.dumps, "fromjson": json.loads,
        }  # fmt: skip
        macros = [product.folder / part for part in folder_names(self.settings, "macro-paths", "macros")]
        self.templates = Templates(self.project, macros, names)

    def statements(self) -> Iterator[CompiledStatement]:
        """Every model, test in SQL and hook, with dbt's text for models and tests; raises `TransformError`."""
        self._check()
        for name, path in self.models.items():
            if path.suffix == ".sql":
                names = {"this": relation(name), "model": DbtValue(name=name)}
                yield CompiledStatement(name, "model", path, self._render(path, names))
        for path, _ in singular_tests(self.product.folder, self.settings):
            yield CompiledStatement(path.stem, "test", path, self._render(path, {}))
        documents = {self.product.folder / "dbt_project.yml": self.settings, **self.described}
        for path, value in [*self.hooks, *((path, hook) for path, data in documents.items() for hook in _hooks(data))]:
            for text in hook_texts(value):
                yield CompiledStatement(path.stem, "hook", path, self.hook(text))

    def hook(self, text: str) -> str:
        """The SQL of a hook, in which the table it belongs to is called `this`; raises `TransformError`."""
        return self.short_names(self.templates.render(text, this=relation("this")))

    def short_names(self, sql: str) -> str:
        """SQL of dbt with the tables named as in `CompiledStatement`."""
        for name in (*self.models, "this"):
            sql = sql.replace(str(relation(name)), work.quoted(name))
        return sql.replace(f'"{DATABASE}".', "").strip()

    def _render(self, path: Path, names: Mapping[str, Any]) -> str:
        self.path = path
        return self.short_names(self.templates.render(SNAPSHOT.sub("", read_text(path)).strip(), **names))

    def _check(self) -> None:
        """Refuse a project whose files alone do not determine the SQL that dbt writes."""
        if present := [name for name in _OTHER_FILES if (self.product.folder / name).exists()]:
            raise TransformError(f"{present[0]} is left to dbt")
        if "dispatch" in self.settings:
            raise TransformError("a search order of macros is left to dbt")
        if replaced := self.templates.replaced(_OTHER_MACROS):
            raise TransformError(f"the macro '{replaced[0]}' replaces one of dbt's")
        settings = {key: value for key, value in self.settings.items() if key not in _NO_SETTINGS}
        for data in (settings, *self.described.values()):
            for key, value in _settings(data):
                _check_setting(key, value)

    def _ref(self, *names: str, **version: Any) -> DbtValue:
        if version or not names or names[-1] not in self.models or list(names[:-1]) not in ([], [self.project]):
            raise TransformError(f"ref{names} is no model")
        return relation(names[-1])

    def _source(self, source: str, table: str) -> DbtValue:
        if f"{source}.{table}" not in self.sources:
            raise TransformError(f"source('{source}', '{table}') is not declared")
        schema, name = self.sources[f"{source}.{table}"]
        return relation(name, schema)

    def _var(self, name: str, default: Any = None) -> Any:
        if name not in self.vars and default is None:
            raise TransformError(f"the variable '{name}' has no value")
        return self.vars.get(name, default)

    def _env_var(self, name: str, default: str | None = None) -> str:
        self.read[name] = self.environment.get(name)
        value = None if name.startswith("DBT_ENV_SECRET") else self.environment.get(name, default)
        if value is None:
            raise TransformError(f"the environment variable '{name}' has no value")
        return value

    def _config(self, *dictionaries: Mapping[str, Any], **settings: Any) -> str:
        for values in (*dictionaries, settings):
            for key, value in values.items():
                _check_setting(key, value)
                if key == "enabled" and value is False:
                    raise TransformError("the model is disabled by its own template")
                if key in HOOKS:
                    self.hooks.append((self.path, value))
        return ""


def relation(name: str, schema: str = "main") -> DbtValue:
    """What `ref`, `source` and `this` are to a template."""
    values = {"database": DATABASE, "schema": schema, "identifier": name, "name": name, "table": name}
    return DbtValue(work.quoted(DATABASE) + "." + ".".join(map(work.quoted, (schema, name))), **values)


def hook_texts(hook: Any) -> list[str]:
    """The SQL texts in the value of a setting out of `HOOKS`."""
    items = hook if isinstance(hook, list) else [hook]
    return [str(item.get("sql") or "") if isinstance(item, dict) else str(item) for item in items if item]


def _variables(values: object, project: str) -> dict[str, Any]:
    """The variables of dbt_project.yml, of which those of the project win."""
    variables = values if isinstance(values, dict) else {}
    own = variables.get(project)
    return {**variables, **(own if isinstance(own, dict) else {})}


def _settings(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting in a YAML file, by its key, but those of columns and tests, which change no model."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name not in _NO_SETTINGS:
                yield str(name).removeprefix("+"), item
                yield from _settings(item, str(name).removeprefix("+"))
    elif isinstance(value, list):
        for item in value:
            yield key, item
            yield from _settings(item, key)


def _check_setting(key: str, value: Any) -> None:
    if key in _OTHER_TEXT:
        raise TransformError(f"'{key}' changes the name or the SQL of a table")
    if key == "materialized" and value == "ephemeral":
        raise TransformError("an ephemeral model becomes part of others")
    if isinstance(value, str) and key not in HOOKS | {"description"} and ("{{" in value or "{%" in value):
        raise TransformError(f"'{key}' is a template")


def _hooks(value: Any) -> Iterator[Any]:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if str(key).removeprefix("+") in HOOKS:
            yield item
        else:
            yield from _hooks(item)
