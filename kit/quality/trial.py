"""Trials of expectations: whether an audit can run them, before there is any data."""

import re
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kit.contracts import QUERY, QUERY_ARGUMENT, Assertion, Contract, Query, Rule, value_problem
from kit.core import ContentCache, InvalidFile, database, sandbox
from kit.quality.evaluation import batch_of, error_of, run, source_of
from kit.quality.suite import to_expectation

_VALUES = ("expect_column_values_to_not_be_null", "expect_column_values_to_be_unique")
_NUMBERS = {f"expect_column_{name}_to_be_between" for name in ("mean", "sum", "stdev", "median", "min", "max", "values")}
_MOMENTS = {f"expect_column_{name}_to_be_between" for name in ("min", "max")}
_COUNTS = {f"expect_column_{name}_to_be_between" for name in ("unique_value_count", "proportion_of_unique_values")}
_QUANTILES = "expect_column_quantile_values_to_be_between"
_QUERY = "Great Expectations has no SQL for it; write an unexpected_rows_expectation"
_ADVICE = {
    "No provider found": _QUERY,
    "not supported for dialect": _QUERY,
    "not implemented for SQL": _QUERY,
    "PassThroughCondition": 'a row_condition of pandas or Spark is no SQL; write one such as col("id") > 0 with '
    "condition_parser great_expectations",
}
"""What to do, by a part of the message of Great Expectations."""
_SAMPLES = {
    "date": "2024-01-0{}", "time": "00:00:0{}", "timestamp": "2024-01-0{} 00:00:00",
    "uuid": "00000000-0000-4000-8000-00000000000{}", "boolean": "true", "varchar": "a{}",
}  # fmt: skip


class Trials:
    """Tries expectations on tables that have the columns and types of their contracts, by the name of a table in SQL.

    A query is run on tables without rows. Any other expectation that is not plainly sound is evaluated by Great Expectations
    on three rows; the `cache` has the results, since starting it takes seconds.
    """

    def __init__(self, tables: Mapping[str, Contract], cache: ContentCache) -> None:
        self._types = {name: {column.name: column.type for column in item.columns} for name, item in tables.items()}
        self._cache = cache
        self._stack = ExitStack()
        self._batches: dict[str, Any] = {}
        self._empty: Any = None

    def __enter__(self) -> "Trials":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def problem(self, table: str, assertion: Assertion) -> str:
        """Return why an audit of a table cannot run an assertion; empty if it can.

        Tables that a query may not read are not reported, and statements that are no query: these are found in its text.
        """
        if assertion.expectation == QUERY and assertion.kwargs.keys() == {QUERY_ARGUMENT}:
            return self.query_problem(table, assertion.kwargs[QUERY_ARGUMENT])
        if "batch_id" in assertion.kwargs:
            return "has no batches; leave batch_id out"
        if assertion.instead or _is_plain(assertion, self._types[table]):
            return ""
        item = to_expectation(Rule("", assertion), database.quoted(table))
        key = ContentCache.key(
            repr(item), table, repr(self._types), version("great_expectations"), version("duckdb"), version("sqlalchemy")
        )
        problem = self._cache.lookup(key)
        if problem is None:
            problem = self._evaluation_problem(table, item)
            self._cache.put(key, problem)
        return problem

    def query_problem(self, table: str, query: Query) -> str:
        """Return why DuckDB cannot run a query on a table; empty if it can, and for what is no query, which its text shows."""
        import duckdb

        if self._empty is None:
            self._empty = self._stack.enter_context(database.connect())
            for name, types in self._types.items():
                columns = ", ".join(f"{database.quoted(column)} {kind}" for column, kind in types.items())
                schema, _, _ = name.rpartition(".")
                if schema:
                    self._empty.execute(f"create schema if not exists {database.quoted(schema)}")
                self._empty.execute(f"create table {database.quoted(name)} ({columns})")
            sandbox.confine(self._empty, set(), set())
        sql = query.sql(database.quoted(table))
        try:
            statements = self._empty.extract_statements(sql)
            if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                return ""
            self._empty.execute(f"select count(*) from (\n{sql}\n) as rule")
        except duckdb.Error as error:
            message = str(error)
            is_known = sandbox.explain(message) != message or "Catalog Error: Table with name" in message
            return "" if is_known else f"cannot be run on the columns of its tables: {_first(message)}"
        return ""

    def _evaluation_problem(self, table: str, item: dict[str, Any]) -> str:
        try:
            (result,) = run(self._batch(table), table, [item], "BASIC")
        except InvalidFile as error:
            return error.problem.removeprefix(f"{table}: ").removeprefix(f"{item['type']} ")
        reason = _first(error_of(result))
        advice = next((advice for sign, advice in _ADVICE.items() if sign in reason), reason)
        return f"cannot be run on DuckDB: {advice}" if reason else ""

    def _batch(self, table: str) -> Any:
        if not self._batches:
            folder = Path(self._stack.enter_context(TemporaryDirectory()))
            files = {}
            with database.connect() as connection:
                for position, (name, types) in enumerate(self._types.items()):
                    files[name] = [folder / f"{position}.parquet"]
                    rows = " union all ".join(f"select {', '.join(_row(types, number))}" for number in (1, 2, 3))
                    connection.execute(f"copy ({rows}) to {database.literal(str(files[name][0]))} (format parquet)")
            source = self._stack.enter_context(source_of(files))
            self._batches = {name: batch_of(source, name) for name in self._types}
        return self._batches[table]


def _is_plain(assertion: Assertion, types: Mapping[str, str]) -> bool:
    """Return whether an expectation runs for sure: one of the most common, with arguments of the types of its column."""
    name, kwargs = assertion.expectation, dict(assertion.kwargs)
    kind = types.get(str(kwargs.pop("column", "")), "")
    mostly = kwargs.pop("mostly", 1)
    if not kind or type(mostly) not in (int, float) or not 0 <= mostly <= 1:
        return False
    if name in _VALUES:
        return not kwargs
    is_number = not value_problem(1, kind)
    if name == _QUANTILES:
        return is_number and kwargs.keys() == {"quantile_ranges"} and _are_quantiles(kwargs["quantile_ranges"])
    bounds = [bound for bound in (kwargs.pop("min_value", None), kwargs.pop("max_value", None)) if bound is not None]
    if kwargs or not bounds:
        return False
    if all(type(bound) in (int, float) for bound in bounds):
        return bounds == sorted(bounds) and (name in _COUNTS or (name in _NUMBERS and is_number))
    are_moments = kind.startswith(("date", "timestamp")) and not any(value_problem(bound, kind) for bound in bounds)
    return name in _MOMENTS and are_moments and bounds == sorted(bounds)


def _are_quantiles(ranges: Any) -> bool:
    """Return whether an argument has quantiles and a pair of numbers for each of them."""
    if not isinstance(ranges, dict) or ranges.keys() != {"quantiles", "value_ranges"}:
        return False
    values = [list(value) for value in ranges.values() if isinstance(value, list)]
    pairs = [pair for pair in values[-1] if isinstance(pair, list) and len(pair) == 2] if len(values) == 2 else []
    numbers = [*(values[0] if values else ()), *(number for pair in pairs for number in pair)]
    return bool(pairs) and len(numbers) == 3 * len(pairs) and all(type(number) in (int, float) for number in numbers)


def _row(types: Mapping[str, str], number: int) -> list[str]:
    """Return the SQL for a row of a table: small values, each cast to the type of its column, and texts that are no numbers."""
    return [f"{_sample(kind, number)}::{kind} as {database.quoted(name)}" for name, kind in types.items()]


def _sample(kind: str, number: int) -> str:
    if kind.endswith("[]"):
        return f"[{_sample(kind.removesuffix('[]'), number)}]"
    if kind.startswith("decimal("):
        return f"{number}e-{kind.rstrip(')').rpartition(',')[2]}"
    text = _SAMPLES.get(kind, _SAMPLES.get(kind.partition(" ")[0], "{}")).format(number)
    return database.literal(text)


def _first(message: str) -> str:
    """Return the sentence of a message of DuckDB or Great Expectations, without what surrounds it."""
    text = re.sub(r"^(\(_?duckdb\.\w+\) )?(\w+ )?Error: ", "", message.removeprefix("could not be evaluated: "))
    return re.split(r" ?\[SQL: |\n| LINE 1: | You might need| Candidate ", text)[0].strip()[:300]
