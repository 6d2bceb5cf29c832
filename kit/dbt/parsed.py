"""What dbt parsed of a project once, for the builds of all partitions of its product."""

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kit.dbt.committed import macros_path
from kit.dbt.project import SNAPSHOT, files_below, folder_names, package_folders, read_loosely, template_environment

_VARYING = re.compile(r"\b(var|builtins|context|invocation_args_dict|flags|KIT_FILE)\b")
"""Words of a template that may have another value for another partition."""

_FOLDERS = (
    ("model-paths", "models"), ("snapshot-paths", "snapshots"), ("test-paths", "tests"), ("seed-paths", "seeds"),
    ("macro-paths", "macros"), ("analysis-paths", "analyses"),
)  # fmt: skip


def parses_alike(folder: Path) -> bool:
    """Return whether dbt parses a project alike for every value of the variable `partition`.

    That is so where variables are nothing but printed in SQL: then dbt renders them when it runs a node, and neither a setting,
    nor what a node reads, depends on one.
    """
    if package_folders(folder):
        return False
    settings = read_loosely(folder / "dbt_project.yml")
    tops = [folder / part for key, default in _FOLDERS for part in folder_names(settings, key, default)]
    files = [folder / "dbt_project.yml", *(path for top in tops for path, _ in files_below(top))]
    texts = (path for path in files if path.suffix in (".sql", ".yml", ".yaml") and path != macros_path(folder))
    return all(_only_prints(path.read_text(encoding="utf-8", errors="replace"), path.suffix == ".sql") for path in texts)


def _only_prints(text: str, is_sql: bool) -> bool:
    """Whether a text has no word that varies, but for variables that SQL outside of blocks prints."""
    import jinja2
    from jinja2 import nodes

    if not _VARYING.search(text) or ("{{" not in text and "{%" not in text):
        return True
    try:
        tree = template_environment().parse(SNAPSHOT.sub("", text))
    except (RecursionError, jinja2.TemplateError):
        return False
    printed = [item for output in tree.find_all(nodes.Output) if output in tree.body for item in output.nodes]
    plain = {id(item.node) for item in printed if isinstance(item, nodes.Call) and not list(item.find_all(nodes.Call))[1:]}
    names = [name for name in tree.find_all(nodes.Name) if _VARYING.fullmatch(name.name)]
    constants = [value for value in tree.find_all(nodes.Const) if _VARYING.search(str(value.value))]
    return is_sql and not constants and all(name.name == "var" and id(name) in plain for name in names)


class ParsedOnce:
    """The manifest of a project, as dbt parsed it, for each of many runs."""

    def __init__(self) -> None:
        self._manifest: Any = None
        self._fresh = b""

    def manifest(self, parse: Callable[[], Any]) -> Any:
        """Return the manifest with nodes that no run has changed; None when `parse` returns none."""
        if self._manifest is None:
            self._manifest = parse()
            self._fresh = pickle.dumps((self._manifest.nodes, self._manifest.unit_tests)) if self._manifest else b""
        if self._manifest:
            self._manifest.nodes, self._manifest.unit_tests = pickle.loads(self._fresh)  # noqa: S301 (our own)
        return self._manifest
