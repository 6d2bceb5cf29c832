"""The part of a project that is run, chosen in a manifest as dbt makes it."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from kit.contracts.check import Check
from kit.dbt.selection import Selected, Selection


def node(kind: str, name: str, *reads: str, code: str = "", **more: Any) -> SimpleNamespace:
    depends_on = SimpleNamespace(nodes=list(reads), macros=["macro.m"] if kind == "test" else [])
    return SimpleNamespace(resource_type=kind, name=name, depends_on=depends_on, raw_code=code, **more)


def manifest(test: str = "select 1") -> SimpleNamespace:
    """`raw.sales` → `stg` → `a` → `b`, with a test of each port, one of both ports and `stg`, and a unit test of `b`."""
    unique = SimpleNamespace(name="unique", kwargs={})
    not_null = SimpleNamespace(name="not_null", kwargs={})
    nodes = {
        "model.p.stg": node("model", "stg", "source.p.raw.sales"),
        "model.p.a": node("model", "a", "model.p.stg"),
        "model.p.b": node("model", "b", "model.p.a"),
        "model.p.orphan": node("model", "orphan", "model.p.stg"),
        "test.p.u": node("test", "u", "model.p.a", test_metadata=unique, column_name="id"),
        "test.p.agree": node("test", "agree", "model.p.b", "model.p.stg", code=test),
        "test.p.s": node("test", "s", "source.p.raw.sales", test_metadata=not_null, column_name="id"),
    }
    sources = {"source.p.raw.sales": SimpleNamespace(resource_type="source", schema="raw", identifier="sales")}
    unit_tests = {"unit_test.p.adds": node("unit_test", "adds", "model.p.b")}
    macros = {"macro.m": SimpleNamespace(macro_sql="", depends_on=SimpleNamespace(macros=["macro.n"])),
              "macro.n": SimpleNamespace(macro_sql="", depends_on=SimpleNamespace(macros=["macro.m"]))}  # fmt: skip
    return SimpleNamespace(nodes=nodes, sources=sources, unit_tests=unit_tests, macros=macros)


PLACES = [("a", "id: unique"), ("b", "agree"), ("raw.sales", "id: not_null"), ("b", "unit test adds")]


def chosen(
    changed: set[str], there: set[str] = frozenset(), found: Any = None, without: tuple[str, str] = ("", "")
) -> set[str]:
    """The last parts of the ids of the nodes that are run."""
    known: Mapping[tuple[str, str], Check] = {place: Check(*place, "dbt", True) for place in PLACES if place != without}
    found = found or manifest()
    every = {*found.nodes, *found.unit_tests}
    return {uid.rpartition(".")[2] for uid in Selected(Selection(changed, there, known))._choose(found, every)}


@pytest.mark.parametrize(
    ("changed", "there", "run"),
    [
        (set(), {"a", "b"}, set()),
        # A changed port with the test that reads it; the other port is there, and the view below it is made for the test.
        ({"b"}, {"a"}, {"b", "agree", "adds", "stg"}),
        ({"a", "b"}, set(), {"stg", "a", "b", "u", "agree", "adds"}),
        # A changed model that no port reads is made, as in a full build: it may fail.
        ({"orphan"}, {"a", "b"}, {"orphan", "stg"}),
        ({"raw.sales"}, {"a", "b"}, {"s"}),
        ({"stg"}, {"a", "b"}, {"stg", "agree"}),
    ],
)
def test_what_changed_is_run_with_what_it_needs(changed: set[str], there: set[str], run: set[str]) -> None:
    assert chosen(changed, there) == run


def test_a_test_without_a_result_is_run() -> None:
    assert chosen(set(), {"a", "b"}, without=("a", "id: unique")) == {"u"}
    # dbt runs a unit test with its model, though that is there.
    assert chosen(set(), {"a", "b"}, without=("b", "unit test adds")) == {"adds", "b"}


def test_a_test_that_depends_on_the_time_is_run() -> None:
    assert chosen(set(), {"a", "b"}, manifest("select now()")) == {"agree", "stg"}
    found = manifest()
    found.macros["macro.n"].macro_sql = "{% macro n() %} current_date {% endmacro %}"
    assert chosen(set(), {"a", "b"}, found) == {"u", "agree", "s", "stg"}
