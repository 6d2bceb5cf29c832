"""A dbt project as its files tell it, read without dbt: models, what each reads, and its tests."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from kit.files import mappings

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_ARGUMENTS = {
    "arguments", "config", "description", "enabled", "error_if", "fail_calc", "limit", "meta", "name", "severity",
    "store_failures", "tags", "warn_if", "where",
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
    """The models and tests of one dbt project.

    What only running Jinja would tell (a name put together by a macro, a test added by a package) is not seen here;
    a build sees it.
    """

    models: tuple[Model, ...]
    tests: tuple[DbtTest, ...]

    @classmethod
    def read(cls, folder: Path) -> "Project":
        """The project in a folder; empty when there is none. Files that dbt will refuse are passed over."""
        return _read(folder)


def test_name(kind: str, column: str | None, arguments: Mapping[str, Any]) -> str:
    """How a generic test is called: `sale_id: unique`, `item: accepted_values {"values": ["tea", "cake"]}`."""
    given = {key: value for key, value in arguments.items() if key not in ("model", "column_name")}
    name = f"{column}: {kind}" if column else kind
    return f"{name} {json.dumps(given, sort_keys=True, default=str, ensure_ascii=False)}" if given else name


def _read(folder: Path) -> Project:
    settings = _yaml(folder / "dbt_project.yml")
    if not settings:
        return Project((), ())
    described: dict[str, str] = {}
    tests: list[DbtTest] = []
    sources = [folder / part for part in _paths(settings, "model-paths", "models")]
    files = [path for source in sources for path in _files(source)]
    seeds = [path for part in _paths(settings, "seed-paths", "seeds") for path in _files(folder / part)]
    for path in (*files, *seeds):
        if path.suffix in (".yml", ".yaml"):
            data = _yaml(path)
            for item in (*mappings(data.get("models")), *mappings(data.get("seeds"))):
                name = str(item.get("name"))
                described[name] = str(item.get("description") or "")
                tests += _generic(item, name)
            for source in mappings(data.get("sources")):
                for table in mappings(source.get("tables")):
                    tests += _generic(table, f"{source.get('name')}.{table.get('name')}")
            for unit in mappings(data.get("unit_tests")):
                about, text = str(unit.get("model")), str(unit.get("description") or "")
                tests.append(DbtTest(f"unit test {unit.get('name')}", about, "error", text))
    made = [Model(path.stem, path, described.get(path.stem, ""), ()) for path in seeds if path.suffix == ".csv"]
    made += [Model(path.stem, path, described.get(path.stem, ""), _reads(path)) for path in files if path.suffix == ".sql"]
    for part in _paths(settings, "test-paths", "tests"):
        for path in (path for path in _files(folder / part) if path.suffix == ".sql"):
            models_first = sorted(_reads(path), key=lambda name: "." in name)
            tests.append(DbtTest(path.stem, models_first[0] if models_first else "", "error", ""))
    return Project(tuple(made), tuple(tests))


def _generic(item: dict[str, Any], table: str) -> Iterator[DbtTest]:
    """The generic tests of a table and its columns."""
    columns: list[tuple[str | None, dict[str, Any]]] = [(None, item)]
    columns += [(str(column.get("name")), column) for column in mappings(item.get("columns"))]
    for column, owner in columns:
        for test in owner.get("data_tests") or owner.get("tests") or ():
            kind, given = (test, {}) if isinstance(test, str) else next(iter(test.items()), ("", {}))
            given = dict(given or {})
            kind = given.pop("test_name", kind)
            config = {**(given.get("config") or {}), **given}
            severity = "warning" if str(config.get("severity", "error")).lower() == "warn" else "error"
            arguments = {key: value for key, value in given.items() if key not in _NOT_ARGUMENTS} | (
                given.get("arguments") or {}
            )
            yield DbtTest(test_name(kind, column, arguments), table, severity, str(given.get("description") or ""))


def _paths(settings: Mapping[str, Any], key: str, default: str) -> tuple[str, ...]:
    given = settings.get(key) or [default]
    return tuple(str(part) for part in (given if isinstance(given, list) else [given]))


def _files(folder: Path) -> list[Path]:
    return sorted(Path(root, name) for root, _, names in os.walk(folder) for name in names)


def _yaml(path: Path) -> dict[str, Any]:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (a safe loader)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return data if isinstance(data, dict) else {}


@cache
def _environment() -> Any:
    import jinja2

    return jinja2.Environment(extensions=["jinja2.ext.do"])  # noqa: S701 (nothing is rendered)


def _reads(path: Path) -> tuple[str, ...]:
    """What a model's SQL reads through `ref` and `source`, in order of appearance."""
    import jinja2
    from jinja2 import nodes

    try:
        tree = _environment().parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, jinja2.TemplateSyntaxError):
        return ()
    found = []
    for call in tree.find_all(nodes.Call):
        name = getattr(call.node, "name", None)
        given = [arg.value for arg in call.args if isinstance(arg, nodes.Const) and isinstance(arg.value, str)]
        if name == "ref" and given:
            found.append(given[-1])
        elif name == "source" and len(given) == 2:
            found.append(".".join(given))
    return tuple(dict.fromkeys(found))
