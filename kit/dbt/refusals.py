"""What a dbt project may not contain, because a build would do something else than dbt by itself, found in its files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from kit.core import compose_yaml, read_text, short
from kit.dbt.committed import is_kit_folder
from kit.dbt.project import SNAPSHOT, TAG, files_below, folder_names, package_folders, read_loosely

_PATHS = (("model-paths", "models"), ("seed-paths", "seeds"), ("snapshot-paths", "snapshots"), ("test-paths", "tests"),
          ("macro-paths", "macros"), ("analysis-paths", "analyses"))  # fmt: skip
_OTHER_PATHS = (("docs-paths", "docs"), ("asset-paths", "assets"), ("packages-install-path", "dbt_packages"))
_MATERIALIZATIONS = ("view", "table", "ephemeral", "published", "incremental", "seed", "test", "unit")
_SNAPSHOT = "a dbt snapshot is a port of a product, in a file of its own: {% snapshot NAME %} in snapshots/NAME.sql"
_REASONS = {
    "incremental": "an incremental model is a port of a product, with config(materialized='incremental', …) in its SQL",
    "snapshot": _SNAPSHOT,
    "materialized_view": "DuckDB has no materialized views; write view, table or published",
    "external": "an external model writes files of its own; write published for a port, table for any other model",
}
_PYTHON = "a model in Python could read anything; write it in SQL, or make the port with a notebook"
_TAGGED = f"the tag '{TAG}' marks tests that a build leaves out, since the audit has them; choose another tag"
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_MATERIALIZED = ("materialized", "+materialized")


@dataclass(frozen=True)
class Refusal:
    """One thing that is refused, with its file and line."""

    path: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        return f"{short(self.path)}{f':{self.line}' if self.line else ''}: {self.message}"


def refusals(folder: Path, *, may_grow: bool = True) -> Iterator[Refusal]:
    """Yield all that is refused in the dbt project in a folder and its installed packages; nothing if there is none.

    Incremental models and snapshots are those of a product, and refused in a project that is none yet, for which `may_grow`
    is False.
    """
    yield from _in_project(folder, is_own=may_grow)
    for package in package_folders(folder):
        yield from _in_project(package, is_own=False)


def _in_project(folder: Path, *, is_own: bool) -> Iterator[Refusal]:
    settings = read_loosely(folder / "dbt_project.yml")
    if not settings:
        return
    yield from _in_yaml(folder / "dbt_project.yml", describes=False)
    for key, default in (*_PATHS, *_OTHER_PATHS):
        for part in folder_names(settings, key, default):
            if _is_outside(folder, part):
                is_kit = key == "macro-paths" and is_kit_folder(part)
                advice = "run `kit sync`, which writes the kit's macros into the folder" if is_kit else "keep the files in it"
                message = f"{key} names '{part}', outside of the domain folder; {advice}"
                yield Refusal(folder / "dbt_project.yml", None, message)
    for key, default in _PATHS:
        for part in folder_names(settings, key, default):
            if _is_outside(folder, part):
                continue
            top = folder / part
            for path, _ in files_below(top):
                if path.suffix in (".yml", ".yaml"):
                    yield from _in_yaml(path, describes=True, may_grow=is_own)
                elif path.suffix == ".sql":
                    is_tagged = key in ("model-paths", "snapshot-paths", "test-paths")
                    yield from _snapshots_in(path, is_place=is_own and key == "snapshot-paths")
                    yield from _in_sql(path, is_tagged=is_tagged, may_grow=is_own and key == "model-paths")
                elif path.suffix == ".py" and key == "model-paths":
                    yield Refusal(path, None, _PYTHON)


def _is_outside(folder: Path, part: str) -> bool:
    return not (folder / part).resolve().is_relative_to(folder.resolve())


def _snapshots_in(path: Path, *, is_place: bool) -> Iterator[Refusal]:
    """Yield the snapshots in a template that are not the one of its file; a file that `is_place` for one must have it."""
    text = _without_comments(path)
    found = [match for match in SNAPSHOT.finditer(text) if match[1]]
    if is_place and [match[1] for match in found] != [path.stem]:
        yield Refusal(
            path, None, f"the file has to contain the dbt snapshot '{path.stem}', {{% snapshot {path.stem} %}}, alone"
        )
    elif not is_place:
        yield from (Refusal(path, text.count("\n", 0, match.start()) + 1, _SNAPSHOT) for match in found)


def _without_comments(path: Path) -> str:
    return _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), read_text(path))


def _in_yaml(path: Path, *, describes: bool, may_grow: bool = False) -> Iterator[Refusal]:
    """Yield what a YAML file configures; one that `describes` nodes may define snapshots, which is refused.

    Where models `may_grow` it may describe snapshots of other files.
    """
    try:
        root = compose_yaml(read_text(path))
    except (ValueError, RecursionError, yaml.YAMLError):
        return  # dbt refuses it
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if describes and key.value == "snapshots" and getattr(value, "value", None):
            entries = [item for item in value.value if isinstance(item, yaml.MappingNode)]
            if not may_grow or any(name.value == "relation" for item in entries for name, _ in item.value):
                yield Refusal(path, key.start_mark.line + 1, _SNAPSHOT)
        elif key.value in ("models", "seeds", "snapshots"):
            yield from _settings(path, value)


def _settings(path: Path, node: Any) -> Iterator[Refusal]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value in _MATERIALIZED and isinstance(value, yaml.ScalarNode):
                if message := _refused(value.value) or _REASONS.get(value.value, ""):
                    yield Refusal(path, key.start_mark.line + 1, message)
            elif key.value in ("tags", "+tags") and TAG in _texts(value):
                yield Refusal(path, key.start_mark.line + 1, _TAGGED)
            elif key.value not in ("columns", "data_tests", "tests"):
                yield from _settings(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _settings(path, item)


def _texts(node: Any) -> list[str]:
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    return [item.value for item in items if isinstance(item, yaml.ScalarNode)]


def _in_sql(path: Path, *, is_tagged: bool, may_grow: bool) -> Iterator[Refusal]:
    """Yield what calls of `config` in a template set and must not.

    `is_tagged` for files whose nodes have tags, `may_grow` for those of models that may be incremental.
    """
    import jinja2
    from jinja2 import nodes

    try:
        tree = _environment().parse(_without_comments(path))
    except (RecursionError, jinja2.TemplateSyntaxError):
        return
    for call in tree.find_all(nodes.Call):
        if getattr(call.node, "name", None) != "config":
            continue
        for name, value in _arguments(call):
            is_plain = isinstance(value, nodes.Const)
            texts = [str(item.value) for item in ([value] if is_plain else value.find_all(nodes.Const))]
            if name == "materialized":
                # Of a condition any of its texts may be the value.
                reasons = [_refused(text) if is_plain else _REASONS.get(text, "") for text in texts]
                if texts == ["incremental"] and not (may_grow and value in (item.value for item in call.kwargs)):
                    reasons = [_REASONS["incremental"]]
                yield from (Refusal(path, value.lineno, reason) for reason in [*filter(None, reasons)][:1])
            elif name == "tags" and is_tagged and TAG in texts:
                yield Refusal(path, value.lineno, _TAGGED)


def _arguments(call: Any) -> Iterator[tuple[str, Any]]:
    """Yield the settings of a call of `config`, by keyword or in a dictionary."""
    from jinja2 import nodes

    yield from ((item.key, item.value) for item in call.kwargs)
    for argument in call.args:
        for pair in argument.items if isinstance(argument, nodes.Dict) else ():
            yield str(getattr(pair.key, "value", "")), pair.value


def _refused(value: str) -> str:
    """Return why a materialization is refused, empty if it is not; of a template any of its words may be the value."""
    if "{{" in value or "{%" in value:
        return next((reason for name, reason in _REASONS.items() if re.search(rf"\b{name}\b", value)), "")
    if value in _MATERIALIZATIONS:
        return ""
    allowed = "view, table, ephemeral, published or incremental"
    return _REASONS.get(value, f"'{value}' is no materialization of the kit; write {allowed}")


@cache
def _environment() -> Any:
    """Return an environment that parses the templates of dbt, with the blocks that only dbt has."""
    from jinja2 import Environment, nodes
    from jinja2.ext import Extension

    class DbtBlocks(Extension):
        """Blocks of dbt beside macros: their content, without their heads."""

        tags = {"snapshot", "materialization", "test", "data_test", "docs"}  # noqa: RUF012 (as Jinja declares it)

        def parse(self, parser: Any) -> Any:
            token = next(parser.stream)
            while parser.stream.current.type != "block_end":
                next(parser.stream)
            body = parser.parse_statements((f"name:end{token.value}",), drop_needle=True)
            return nodes.Scope(body, lineno=token.lineno)

    return Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols", DbtBlocks])  # noqa: S701 (nothing is rendered)
