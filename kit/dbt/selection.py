"""The part of a dbt project that a build runs: models that changed, what they need, and the tests that concern them."""

from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kit.contracts import Check
from kit.core import is_volatile
from kit.dbt.project import test_name

TESTS = ("test", "unit_test")


@dataclass(frozen=True)
class Selection:
    """What has changed since a build whose tables and results of tests are there.

    `changed` are the models, snapshots, seeds and sources (`SCHEMA.TABLE`) whose rows may differ, `there` models whose tables
    are in the database already, `known` the results of tests by table and name that hold where nothing they read has changed.
    """

    changed: Set[str]
    there: Set[str] = frozenset()
    known: Mapping[tuple[str, str], Check] = field(default_factory=dict)


class Selected:
    """The nodes of one project that a build with a selection runs; `tests` are all tests by their ids, run or not."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.tests: dict[str, Any] = {}
        self._chosen: set[str] | None = None

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Make dbt run these nodes only, out of those that it selects in the block."""
        from dbt.graph.selector import NodeSelector

        get = NodeSelector.get_selected

        def get_chosen(selector: Any, *arguments: Any, **options: Any) -> set[str]:
            selected: set[str] = get(selector, *arguments, **options)
            if self._chosen is None:  # dbt asks first for all nodes, then for those without unit tests
                self._chosen = self._choose(selector.manifest, selected)
            return selected & self._chosen

        NodeSelector.get_selected = get_chosen
        try:
            yield
        finally:
            NodeSelector.get_selected = get

    def _choose(self, manifest: Any, selected: set[str]) -> set[str]:
        nodes = {**manifest.nodes, **manifest.sources, **manifest.unit_tests}
        self.tests = {uid: nodes[uid] for uid in sorted(selected) if nodes[uid].resource_type in TESTS}
        chosen: set[str] = set()

        def need(uid: str) -> None:
            """Add a node and what it needs, without the tables that are there."""
            if uid in chosen or uid not in manifest.nodes or manifest.nodes[uid].name in self.selection.there:
                return
            if uid in selected:
                chosen.add(uid)
            for parent in manifest.nodes[uid].depends_on.nodes:
                need(parent)

        for uid in selected - self.tests.keys():
            if nodes[uid].name in self.selection.changed or nodes[uid].resource_type not in ("model", "seed", "snapshot"):
                need(uid)
        concerned = {check_place(test) for uid, test in self.tests.items() if self._concerns(manifest, nodes, uid, test)}
        for uid, test in self.tests.items():
            if check_place(test) in concerned:
                chosen.add(uid)
                for parent in test.depends_on.nodes:
                    need(parent)
                    if test.resource_type == "unit_test" and parent in selected:
                        chosen.add(parent)  # dbt runs it with its model only
                        for table in manifest.nodes[parent].depends_on.nodes:
                            need(table)
        return chosen

    def _concerns(self, manifest: Any, nodes: Mapping[str, Any], uid: str, test: Any) -> bool:
        """Whether a test may have another result than before."""
        if check_place(test) not in self.selection.known or _depends_on_time(manifest, test):
            return True
        return any(_name(nodes[parent]) in self.selection.changed for parent in test.depends_on.nodes if parent in nodes)


def check_place(test: Any) -> tuple[str, str]:
    """Return the table and the name of the check of a test of dbt's manifest."""
    return tested_table(test), check_name(test)


def check_name(test: Any) -> str:
    """Return the name of a test of dbt's manifest, as `ProjectTest.name`."""
    if generic := getattr(test, "test_metadata", None):
        return test_name(generic.name, test.column_name or generic.kwargs.get("column_name"), generic.kwargs)
    return str(test.name if test.resource_type == "test" else f"unit test {test.name}")


def tested_table(test: Any) -> str:
    """Return the table that a test of dbt's manifest tests, as `ProjectTest.table`."""
    node = getattr(test, "tested_node_unique_id", None) or getattr(test, "attached_node", None)
    reads = list(test.depends_on.nodes)
    if not getattr(test, "test_metadata", None):
        reads.sort(key=lambda name: name.startswith("source."))
    node = node or next(iter(reads), "")
    kind, _, rest = node.partition(".")
    _, _, name = rest.partition(".")
    return str(name if kind == "source" else name.partition(".")[0])


def _name(node: Any) -> str:
    """The name of a table as the SQL of the kit knows it."""
    return f"{node.schema}.{node.identifier}" if node.resource_type == "source" else str(node.name)


def _depends_on_time(manifest: Any, test: Any) -> bool:
    """Whether the SQL of a test, or of a macro it calls, may have another result at another time."""
    texts, waiting, seen = [getattr(test, "raw_code", "")], list(test.depends_on.macros), set[str]()
    while waiting:
        uid = waiting.pop()
        if uid not in seen and uid in manifest.macros:
            seen.add(uid)
            macro = manifest.macros[uid]
            texts.append(macro.macro_sql)
            waiting += macro.depends_on.macros
    return any(map(is_volatile, texts))
