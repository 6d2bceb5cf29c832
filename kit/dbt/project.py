"""A dbt project as its files tell it, read without dbt: models, what each reads, and its tests."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from kit.core import mappings

PYTHON_MODEL = "a model in Python could read anything; write it in SQL, or make the port with a notebook"
"""Why the models of `Project.python` are not run."""

TAG = "contract"
"""Marks the tests that `kit sync` wrote from a contract: the audit judges the same rules, so that builds leave them out."""

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_ARGUMENTS = {
    "alias", "arguments", "config", "database", "description", "enabled", "error_if", "fail_calc", "limit", "meta", "name",
    "schema", "severity", "store_failures", "store_failures_as", "tags", "test_name", "warn_if", "where",
}  # fmt: skip


@dataclass(frozen=True)
class Model:
    """A dbt model or seed. `reads` are names as SQL knows them: `MODEL`, `raw.SOURCE` or `PRODUCT.PORT`."""

    name: str
    path: Path
    description: str
    reads: tuple[str, ...]


@dataclass(frozen=True)
class DbtTest:
    """A data or unit test. `about` is the table it judges; for a test in SQL of its own that is the first model it reads."""

    name: str
    about: str
    severity: str
    description: str


@dataclass(frozen=True)
class Project:
    """The models and tests of one dbt project; `python` are models in Python, which the kit refuses to run.

    What only running Jinja would tell (a name put together by a macro, a test added by a package) is not seen here;
    a build sees it.
    """

    models: tuple[Model, ...]
    tests: tuple[DbtTest, ...]
    python: tuple[Path, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> "Project":
        """The project in a folder; empty when there is none. Files that dbt will refuse are passed over."""
        return _read(folder)


def test_name(kind: str, column: str | None, arguments: Mapping[str, Any]) -> str:
    """How a generic test is called: `sale_id: unique`, `item: accepted_values {"values": ["tea", "cake"]}`."""
    given = {str(key): value for key, value in arguments.items() if key not in ("model", "column_name")}
    name = f"{column}: {kind}" if column else kind
    text = json.dumps(dict(sorted(given.items())), default=str, ensure_ascii=False, skipkeys=True)
    return f"{name} {text}" if given else name


def _read(folder: Path) -> Project:
    settings = read_loosely(folder / "dbt_project.yml")
    if not settings:
        return Project((), ())
    sources = [folder / part for part in folder_names(settings, "model-paths", "models")]
    seeds = [folder / part for part in folder_names(settings, "seed-paths", "seeds")]
    texts = [
        (place, read_loosely(path))
        for top in (*sources, *seeds)
        for path, place in files_below(top)
        if path.suffix in (".yml", ".yaml")
    ]
    entries = {
        kind: {str(item.get("name")): (place, item) for place, data in texts for item in mappings(data.get(kind))}
        for kind in ("models", "seeds")
    }
    found: dict[str, list[Model]] = {"models": [], "seeds": []}
    for kind, tops, suffix in (("seeds", seeds, ".csv"), ("models", sources, ".sql")):
        for path, place in (file for top in tops for file in files_below(top) if file[0].suffix == suffix):
            _, item = entries[kind].get(path.stem, ((), {}))
            reads, inside = _template(path) if kind == "models" else ((), {})
            if _enabled(_settings(settings, kind, (*place, path.stem)), item.get("config"), inside):
                found[kind].append(Model(path.stem, path, str(item.get("description") or ""), reads))
    tests: list[DbtTest] = []
    for kind, made in found.items():
        for name in (model.name for model in made if model.name in entries[kind]):
            place, item = entries[kind][name]
            tests += _generic(item, name, _settings(settings, "data_tests", place))
    for place, data in texts:
        for source in mappings(data.get("sources")):
            for table in mappings(source.get("tables")):
                if _enabled(source.get("config"), table.get("config")):
                    name = f"{source.get('name')}.{table.get('name')}"
                    tests += _generic(table, name, _settings(settings, "data_tests", place))
        for unit in mappings(data.get("unit_tests")):
            if _enabled(unit.get("config")) and str(unit.get("model")) in (model.name for model in found["models"]):
                about, text = str(unit.get("model")), str(unit.get("description") or "")
                tests.append(DbtTest(f"unit test {unit.get('name')}", about, "error", text))
    for part in folder_names(settings, "test-paths", "tests"):
        for path, place in files_below(folder / part):
            if path.suffix == ".sql" and place[:1] not in (("generic",), ("fixtures",)):
                tests += _singular(path, _settings(settings, "data_tests", (*place, path.stem)))
    python = tuple(path for top in sources for path, _ in files_below(top) if path.suffix == ".py")
    return Project((*found["seeds"], *found["models"]), tuple(tests), python)


def _generic(item: dict[str, Any], table: str, settings: Mapping[str, Any]) -> Iterator[DbtTest]:
    """The generic tests of a table and its columns."""
    columns: list[tuple[str | None, dict[str, Any]]] = [(None, item)]
    columns += [(_column(column), column) for column in mappings(item.get("columns"))]
    for column, owner in columns:
        given = owner.get("data_tests") or owner.get("tests")
        for test in given if isinstance(given, list) else ():
            # Either `KIND`, `{KIND: {…}}` or `{test_name: KIND, …}`.
            named = {"test_name": test} if isinstance(test, str) else test if isinstance(test, dict) else {}
            if "test_name" not in named and len(named) == 1:
                kind, more = next(iter(named.items()))
                named = {**_mapping(more), "test_name": kind}
            if not named.get("test_name") or not _enabled(settings, named.get("config"), named):
                continue
            if TAG in (_mapping(named.get("config")).get("tags") or ()):
                continue
            kind = str(named["test_name"]).rpartition(".")[2]
            arguments = {key: value for key, value in named.items() if key not in _NOT_ARGUMENTS} | _mapping(
                named.get("arguments")
            )
            severity = _severity(settings, named.get("config"), named)
            about = column or arguments.get("column_name")
            yield DbtTest(test_name(kind, about, arguments), table, severity, str(named.get("description") or ""))


def _singular(path: Path, settings: Mapping[str, Any]) -> Iterator[DbtTest]:
    """A test that is a query of its own."""
    reads, inside = _template(path)
    models_first = sorted(reads, key=lambda name: "." in name)
    if _enabled(settings, inside):
        yield DbtTest(path.stem, models_first[0] if models_first else "", _severity(settings, inside), "")


def _column(column: Mapping[str, Any]) -> str:
    return f'"{column.get("name")}"' if column.get("quote") is True else str(column.get("name"))


def _enabled(*settings: object) -> bool:
    """Whether dbt uses something, by settings of which the later ones win."""
    return [True, *(given["enabled"] for given in map(_mapping, settings) if "enabled" in given)][-1] is not False


def _severity(*settings: object) -> str:
    """How grave a failed test is, by settings of which the later ones win."""
    given = ["error", *(str(given["severity"]) for given in map(_mapping, settings) if "severity" in given)]
    return "warning" if given[-1].lower() == "warn" else "error"


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _settings(project: Mapping[str, Any], kind: str, place: tuple[str, ...]) -> dict[str, Any]:
    """What dbt_project.yml says of a node at a place, its folders and name; what stands deeper wins."""
    found: dict[str, Any] = {}
    level = _mapping(project.get(kind) or (project.get("tests") if kind == "data_tests" else None))
    for part in (str(project.get("name")), *place, ""):
        found |= {str(key).removeprefix("+"): value for key, value in level.items() if not isinstance(value, dict)}
        level = _mapping(level.get(part))
    return found


def folder_names(settings: Mapping[str, Any], key: str, default: str) -> tuple[str, ...]:
    """The folders that dbt_project.yml gives under a key such as `model-paths`."""
    given = settings.get(key) or [default]
    return tuple(str(part) for part in (given if isinstance(given, list) else [given]))


def files_below(top: Path) -> list[tuple[Path, tuple[str, ...]]]:
    """The files below a folder that dbt looks at, each with the folders between."""
    return sorted(
        (Path(root, name), Path(root).relative_to(top).parts)
        for root, _, names in os.walk(top) for name in names if not name.startswith((".", "#", "~"))
    )  # fmt: skip


def read_loosely(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file of dbt; empty for whatever dbt will refuse."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (a safe loader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return _mapping(data)


@cache
def _environment() -> Any:
    import jinja2

    return jinja2.Environment(extensions=["jinja2.ext.do"])  # noqa: S701 (nothing is rendered)


def _template(path: Path) -> tuple[tuple[str, ...], dict[str, Any]]:
    """What SQL reads through `ref` and `source`, in order of appearance, and the plain values it gives to `config`."""
    import jinja2
    from jinja2 import nodes

    try:
        tree = _environment().parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, jinja2.TemplateSyntaxError):
        return (), {}
    found: list[str] = []
    config: dict[str, Any] = {}
    for call in tree.find_all(nodes.Call):
        name = getattr(call.node, "name", None)
        given = [arg.value for arg in call.args if isinstance(arg, nodes.Const) and isinstance(arg.value, str)]
        if name == "ref" and given:
            found.append(given[-1])
        elif name == "source" and len(given) == 2:
            found.append(".".join(given))
        elif name == "config":
            config |= {item.key: item.value.value for item in call.kwargs if isinstance(item.value, nodes.Const)}
    return tuple(dict.fromkeys(found)), config
