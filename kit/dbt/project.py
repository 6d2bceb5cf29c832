"""A dbt project read from its files, without dbt: its models, the tables each reads, and its tests."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from kit.core import mappings

TAG = "contract"
"""Tag of the tests that `kit sync` generates from a contract: builds leave them out, since the audit checks the same rules."""

SNAPSHOT = re.compile(r"\{%-?\s*snapshot\s+(\w+)\s*-?%\}|\{%-?\s*endsnapshot\s*-?%\}")
"""The begin, with its name, or the end of a dbt snapshot: the lines between are a template like that of a model."""

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXTS = 512
"""So many files of each kind are parsed once in a process, however often a build reads them."""
DESCRIBED_FOLDERS = (
    ("model-paths", "models"), ("snapshot-paths", "snapshots"), ("seed-paths", "seeds"), ("test-paths", "tests"),
)  # fmt: skip
"""The folders, as settings of dbt name them and by default, with YAML files that describe models, seeds and tests."""
YAML = (".yml", ".yaml")
_NOT_ARGUMENTS = {
    "alias", "arguments", "config", "database", "description", "enabled", "error_if", "fail_calc", "limit", "meta", "name",
    "schema", "severity", "store_failures", "store_failures_as", "tags", "test_name", "warn_if", "where",
}  # fmt: skip


@dataclass(frozen=True)
class Model:
    """A dbt model, snapshot or seed. `reads` are names as SQL knows them: `MODEL`, `raw.SOURCE` or `PRODUCT.PORT`.

    `settings` are those of its configuration that are plain values.
    """

    name: str
    path: Path
    description: str
    reads: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def is_incremental(self) -> bool:
        """Whether it adds to the rows that its table has already."""
        return self.settings.get("materialized") == "incremental"

    @property
    def is_snapshot(self) -> bool:
        """Whether it is a dbt snapshot, which keeps each version of a row of its query."""
        return self.settings.get("materialized") == "snapshot"


@dataclass(frozen=True)
class ProjectTest:
    """A data or unit test. `table` is the one it tests; for a singular test, the first model it reads."""

    name: str
    table: str
    severity: str
    description: str


@dataclass(frozen=True)
class Project:
    """The models and tests of one dbt project.

    Names that only rendering gives (a `ref` in a macro, a test of a package) are missing here, but not in a build.
    """

    models: tuple[Model, ...]
    tests: tuple[ProjectTest, ...]

    @classmethod
    def read(cls, folder: Path) -> "Project":
        """Return the project in a folder, empty if there is none. Files that dbt refuses are left out."""
        return _read(folder)


def test_name(kind: str, column: str | None, arguments: Mapping[str, Any]) -> str:
    """Return the name of a generic test: `sale_id: unique`, `item: accepted_values {"values": ["tea", "cake"]}`."""
    others = {str(key): value for key, value in arguments.items() if key not in ("model", "column_name")}
    name = f"{column}: {kind}" if column else kind
    text = json.dumps(dict(sorted(others.items())), default=str, ensure_ascii=False, skipkeys=True)
    return f"{name} {text}" if others else name


def _read(folder: Path) -> Project:
    settings = read_loosely(folder / "dbt_project.yml")
    if not settings:
        return Project((), ())
    model_folders = [folder / part for part in folder_names(settings, "model-paths", "models")]
    seed_folders = [folder / part for part in folder_names(settings, "seed-paths", "seeds")]
    snapshot_folders = [folder / part for part in folder_names(settings, "snapshot-paths", "snapshots")]
    documents = [
        (place, read_loosely(path))
        for top in (*model_folders, *seed_folders, *snapshot_folders)
        for path, place in files_below(top)
        if path.suffix in (".yml", ".yaml")
    ]
    tables = source_tables(data for _, data in documents)
    nodes: dict[str, list[Model]] = {"models": [], "seeds": [], "snapshots": []}
    kinds = (("models", model_folders, ".sql"), ("seeds", seed_folders, ".csv"), ("snapshots", snapshot_folders, ".sql"))
    tests: list[ProjectTest] = []
    for kind, tops, suffix in kinds:
        entries = {str(item.get("name")): (place, item) for place, data in documents for item in mappings(data.get(kind))}
        for path, place in (file for top in tops for file in files_below(top) if file[0].suffix == suffix):
            yaml_place, entry = entries.get(path.stem, (None, {}))
            reads, config = _template(path) if suffix == ".sql" else ((), {})
            reads = tuple(dict.fromkeys(".".join(tables.get(name, (name,))) for name in reads))
            levels = [_settings(settings, kind, (*place, path.stem)), _mapping(entry.get("config")), config]
            if _enabled(*levels):
                merged = {str(key).removeprefix("+"): value for level in levels for key, value in level.items()}
                merged |= {"materialized": "snapshot"} if kind == "snapshots" else {}
                nodes[kind].append(Model(path.stem, path, str(entry.get("description") or ""), reads, merged))
                if yaml_place is not None:
                    tests += _generic_tests(entry, path.stem, _settings(settings, "data_tests", yaml_place))
    names = {node.name for node in nodes["models"]}
    for place, data in documents:
        for source in mappings(data.get("sources")):
            for table in mappings(source.get("tables")):
                if _enabled(source.get("config"), table.get("config")):
                    name = f"{source.get('name')}.{table.get('name')}"
                    tests += _generic_tests(table, name, _settings(settings, "data_tests", place))
        for unit in mappings(data.get("unit_tests")):
            if _enabled(unit.get("config")) and str(unit.get("model")) in names:
                name, description = f"unit test {unit.get('name')}", str(unit.get("description") or "")
                tests.append(ProjectTest(name, str(unit.get("model")), "error", description))
    for path, place in singular_tests(folder, settings):
        tests += _singular_test(path, _settings(settings, "data_tests", (*place, path.stem)))
    return Project((*nodes["seeds"], *nodes["models"], *nodes["snapshots"]), tuple(tests))


def source_tables(documents: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """Return the schema and the name in it of every table that is declared as a source, by `SOURCE.TABLE`."""
    return {
        f"{source.get('name')}.{table.get('name')}": (
            str(source.get("schema") or source.get("name")), str(table.get("identifier") or table.get("name"))
        )
        for data in documents
        for source in mappings(data.get("sources"))
        for table in mappings(source.get("tables"))
    }  # fmt: skip


def singular_tests(folder: Path, settings: Mapping[str, Any]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield the files of tests that are a query, each with the folders between."""
    for part in folder_names(settings, "test-paths", "tests"):
        for path, place in files_below(folder / part):
            if path.suffix == ".sql" and place[:1] not in (("generic",), ("fixtures",)):
                yield path, place


def _generic_tests(entry: dict[str, Any], table: str, settings: Mapping[str, Any]) -> Iterator[ProjectTest]:
    """The generic tests in the YAML entry of a table, its own and those of its columns."""
    owners: list[tuple[str | None, dict[str, Any]]] = [(None, entry)]
    owners += [(_column_name(column), column) for column in mappings(entry.get("columns"))]
    for column, owner in owners:
        items = owner.get("data_tests") or owner.get("tests")
        for item in items if isinstance(items, list) else ():
            test = test_fields(item)
            if not test.get("test_name") or not _enabled(settings, test.get("config"), test) or is_contract_test(item):
                continue
            kind = str(test["test_name"]).rpartition(".")[2]
            arguments = test_arguments(test)
            severity = _severity(settings, test.get("config"), test)
            name = test_name(kind, column or arguments.get("column_name"), arguments)
            yield ProjectTest(name, table, severity, str(test.get("description") or ""))


def is_contract_test(item: object) -> bool:
    """Return whether an item of `data_tests` is generated from a contract, by its own tags."""
    return TAG in (_mapping(test_fields(item).get("config")).get("tags") or ())


def test_arguments(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments in the fields of a test, which older projects write beside its other fields."""
    return {key: value for key, value in fields.items() if key not in _NOT_ARGUMENTS} | _mapping(fields.get("arguments"))


def test_fields(item: object) -> dict[str, Any]:
    """Return the fields of an item of `data_tests`: `KIND`, `{KIND: {…}}` or `{test_name: KIND, …}`."""
    test = {"test_name": item} if isinstance(item, str) else _mapping(item)
    if "test_name" not in test and len(test) == 1:
        kind, more = next(iter(test.items()))
        test = {**_mapping(more), "test_name": kind}
    return test


def _singular_test(path: Path, settings: Mapping[str, Any]) -> Iterator[ProjectTest]:
    """The test in one file, unless it is disabled."""
    reads, config = _template(path)
    models_first = sorted(reads, key=lambda name: "." in name)
    if _enabled(settings, config):
        yield ProjectTest(path.stem, models_first[0] if models_first else "", _severity(settings, config), "")


def _column_name(column: Mapping[str, Any]) -> str:
    return f'"{column.get("name")}"' if column.get("quote") is True else str(column.get("name"))


def _enabled(*settings: object) -> bool:
    """Return whether dbt uses a node, by settings of which the later ones win."""
    return [True, *(item["enabled"] for item in map(_mapping, settings) if "enabled" in item)][-1] is not False


def _severity(*settings: object) -> str:
    """Return the severity of a test, by settings of which the later ones win."""
    values = ["error", *(str(item["severity"]) for item in map(_mapping, settings) if "severity" in item)]
    return "warning" if values[-1].lower() == "warn" else "error"


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _settings(project: Mapping[str, Any], kind: str, place: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings in dbt_project.yml for a node at a place, its folders and name; deeper ones win."""
    settings: dict[str, Any] = {}
    level = _mapping(project.get(kind) or (project.get("tests") if kind == "data_tests" else None))
    for part in (str(project.get("name")), *place, ""):
        settings |= {str(key).removeprefix("+"): value for key, value in level.items() if not isinstance(value, dict)}
        level = _mapping(level.get(part))
    return settings


def folder_names(settings: Mapping[str, Any], key: str, default: str) -> tuple[str, ...]:
    """Return the folders that dbt_project.yml lists under a key such as `model-paths`."""
    value = settings.get(key) or [default]
    return tuple(str(part) for part in (value if isinstance(value, list) else [value]))


def package_folders(folder: Path) -> list[Path]:
    """Return the folders of the packages that are installed in a project."""
    parts = folder_names(read_loosely(folder / "dbt_project.yml"), "packages-install-path", "dbt_packages")
    return sorted(path.parent for part in parts for path in (folder / part).glob("*/dbt_project.yml"))


def files_below(top: Path) -> list[tuple[Path, tuple[str, ...]]]:
    """Return the files below a folder that dbt reads, each with the folders between."""
    return sorted(
        (Path(root, name), Path(root).relative_to(top).parts)
        for root, _, names in os.walk(top) for name in names if not name.startswith((".", "#", "~"))
    )  # fmt: skip


def yaml_documents(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every YAML file of a project that describes models, seeds or tests, by its path below the folder."""
    settings = read_loosely(folder / "dbt_project.yml")
    for key, default in DESCRIBED_FOLDERS:
        for part in folder_names(settings, key, default):
            for path in sorted((folder / part).rglob("*")):
                if path.suffix in YAML and path.is_file():
                    yield str(path.relative_to(folder)), read_loosely(path)


def read_loosely(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file of dbt, not to be changed; an empty one for a file that dbt refuses."""
    try:
        return _document(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}


@lru_cache(maxsize=_TEXTS)
def _document(text: str) -> dict[str, Any]:
    return _mapping(yaml.load(text, Loader=_Loader))  # noqa: S506 (a safe loader)


@cache
def template_environment() -> Any:
    """Return an environment that parses the templates of models and renders nothing."""
    import jinja2

    return jinja2.Environment(extensions=["jinja2.ext.do"])  # noqa: S701 (nothing is rendered)


def _template(path: Path) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the tables that SQL names in `ref` and `source`, in order, and the plain values of its `config`."""
    import jinja2

    try:
        return _template_text(SNAPSHOT.sub("", path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError, jinja2.TemplateSyntaxError):
        return (), {}


@lru_cache(maxsize=_TEXTS)
def _template_text(text: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    from jinja2 import nodes

    tree = template_environment().parse(text)
    reads: list[str] = []
    config: dict[str, Any] = {}
    for call in tree.find_all(nodes.Call):
        name = getattr(call.node, "name", None)
        texts = [arg.value for arg in call.args if isinstance(arg, nodes.Const) and isinstance(arg.value, str)]
        if name == "ref" and texts:
            reads.append(texts[-1])
        elif name == "source" and len(texts) == 2:
            reads.append(".".join(texts))
        elif name == "config":
            config |= dict(filter(None, map(_constant, call.kwargs)))
    return tuple(dict.fromkeys(reads)), config


def _constant(keyword: Any) -> tuple[str, Any] | None:
    """Return the name and the value of an argument by keyword; None when the value is computed."""
    from jinja2 import nodes

    try:
        return keyword.key, keyword.value.as_const()
    except nodes.Impossible:
        return None
