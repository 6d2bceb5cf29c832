"""Rules under `quality`: metrics of the standard, SQL queries and expectations of Great Expectations."""

from collections.abc import Iterator
from typing import Any

from kit.contracts import rule_kinds as kinds
from kit.contracts.column_rules import check_order, in_words
from kit.contracts.column_type import check_values
from kit.contracts.expectation_queries import BadArgument
from kit.contracts.rule_kinds import Assertion
from kit.contracts.rule_query import Query
from kit.contracts.standard import OPERATORS
from kit.core import Document, Where, literal, mappings, normal_type

_COMPARISONS = {
    "mustBe": "=", "mustNotBe": "<>", "mustBeGreaterThan": ">", "mustBeGreaterOrEqualTo": ">=",
    "mustBeLessThan": "<", "mustBeLessOrEqualTo": "<=",
}  # fmt: skip
_RANGES = {"mustBeBetween": "between", "mustNotBeBetween": "not between"}
_FIELDS = {"library": {"metric", "arguments"}, "sql": {"query"}, "custom": {"engine", "implementation"}}


def quality_items(table: dict[str, Any]) -> Iterator[tuple[Where, dict[str, Any]]]:
    """Yield the rules under `quality` of a contract's table and of its columns, each with its place."""
    owners: list[tuple[list[str | int], dict[str, Any]]] = [(["schema", 0], table)]
    owners += [(["schema", 0, "properties", i], item) for i, item in enumerate(table["properties"])]
    for where, owner in owners:
        for position, item in enumerate(mappings(owner.get("quality"))):
            yield [*where, "quality", position], item


def written_query(item: dict[str, Any]) -> Query:
    """Return the query of a rule of type `sql`."""
    return Query.from_contract(str(item["query"]).strip().rstrip("; \n"))


class QualityReader:
    """Reads the rules under `quality` of one contract; raises `InvalidFile` for a rule that cannot be checked."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def check_operators(self, where: Where, owner: dict[str, Any]) -> None:
        """Raise `InvalidFile` for a rule without subject or operator, in clearer words than the JSON schema."""
        for position, item in enumerate(mappings(owner.get("quality"))):
            subject = {"library": "metric", "sql": "query"}.get(item.get("type") or "library")
            if subject and subject not in item:
                raise self.document.error([*where, position], f"has no {subject}, which says what is measured")
            if subject and len(item.keys() & OPERATORS) != 1:
                problem = f"must hold exactly one of {', '.join((*_COMPARISONS, *_RANGES))}"
                raise self.document.error([*where, position], problem)

    def assertion(self, where: Where, item: dict[str, Any], column: dict[str, Any] | None) -> tuple[str, Assertion]:
        """Return the name and the assertion of a rule, of a column or of the table for None."""
        kind = item.get("type") or "library"
        if kind not in _FIELDS:
            raise self.document.error(where, f"a rule of type '{kind}' cannot be checked; use library, sql or custom")
        for name in set().union(*_FIELDS.values()) - _FIELDS[kind]:
            if name in item:
                allowed = ", ".join(sorted(_FIELDS[kind]))
                problem = f"{name} is not checked in a rule of type {kind}, which has: {allowed}"
                raise self.document.error([*where, name], problem)
        if kind == "library":
            return self._library(where, item, column)
        return self._sql(where, item) if kind == "sql" else self._custom(where, item)

    def _library(self, where: Where, item: dict[str, Any], owner: dict[str, Any] | None) -> tuple[str, Assertion]:
        metric, fail = item["metric"], self.document.error
        if metric == "rowCount" and owner is None:
            self._check_arguments(where, item, set())
            if item.get("unit", "rows") != "rows":
                raise fail([*where, "unit"], f"rowCount cannot be counted in '{item['unit']}'; leave the unit out or use rows")
            low, high = self._row_bounds(where, item)
            return f"rows are {in_words(low, high)}", kinds.row_count(low, high)
        if metric in ("invalidValues", "duplicateValues", "nullValues") and owner:
            column = owner["name"]
            self._check_arguments(where, item, {"validValues"} if metric == "invalidValues" else set())
            if item.get("unit", "rows") not in ("rows", "percent"):
                raise fail([*where, "unit"], f"{metric} cannot be counted in '{item['unit']}'; use rows or percent")
            is_none = type(item.get("mustBe")) in (int, float) and item["mustBe"] == 0
            if metric in ("invalidValues", "duplicateValues") and not is_none:
                raise fail(where, f"{metric} can only be promised with 'mustBe: 0'")
            if metric == "invalidValues":
                values = (item.get("arguments") or {}).get("validValues")
                if not isinstance(values, list) or not values:
                    raise fail(where, "invalidValues needs 'arguments: {validValues: [...]}'")
                kind = normal_type(owner["physicalType"]) or ""
                values = check_values(self.document, [*where, "arguments", "validValues"], values, kind)
                return f"{column} is one of {len(values)} values", kinds.accepted_values(column, values)
            if metric == "duplicateValues":
                return f"{column} is unique", kinds.unique(column)
            if is_none:
                return f"{column} is required", kinds.not_null(column)
            percent = item.get("mustBeLessOrEqualTo")
            if item.get("unit") != "percent" or percent is None or not 0 <= percent <= 100:
                needed = "'mustBe: 0', or 'mustBeLessOrEqualTo' between 0 and 100 with 'unit: percent'"
                raise fail(where, f"{metric} needs {needed}")
            return f"at most {percent} % of {column} are null", kinds.not_null(column, round(1 - percent / 100, 12))
        level = "a column" if owner else "the table"
        allowed = "nullValues, invalidValues, duplicateValues" if owner else "rowCount"
        raise fail(where, f"the metric '{metric}' cannot be checked on {level}; there are: {allowed}")

    def _check_arguments(self, where: Where, item: dict[str, Any], known: set[str]) -> None:
        if unknown := sorted((item.get("arguments") or {}).keys() - known):
            allowed = ", ".join(known) or "none"
            problem = f"{item['metric']} has no argument '{unknown[0]}' that can be checked; there is: {allowed}"
            raise self.document.error([*where, "arguments"], problem)

    def _row_bounds(self, where: Where, item: dict[str, Any]) -> tuple[int | None, int | None]:
        if "mustBeBetween" in item:
            low, high = item["mustBeBetween"]
            check_order(self.document, [*where, "mustBeBetween"], low, high)
        elif "mustBe" in item:
            low = high = item["mustBe"]
        elif "mustBeGreaterThan" in item or "mustBeGreaterOrEqualTo" in item:
            low, high = item.get("mustBeGreaterOrEqualTo", item.get("mustBeGreaterThan", 0) + 1), None
        elif "mustBeLessThan" in item or "mustBeLessOrEqualTo" in item:
            low, high = None, item.get("mustBeLessOrEqualTo", item.get("mustBeLessThan", 0) - 1)
        else:
            raise self.document.error(where, "this operator cannot be checked for rowCount; use mustBe or mustBeBetween")
        for bound in (low, high):
            if bound is not None and (type(bound) is not int or bound < 0):
                raise self.document.error(where, f"{bound!r} is no number of rows; use a whole number from 0")
        return low, high

    def _sql(self, where: Where, item: dict[str, Any]) -> tuple[str, Assertion]:
        for operator, symbol in _COMPARISONS.items():
            if operator in item:
                value = item[operator]
                if not isinstance(value, int | float | str):
                    raise self.document.error([*where, operator], f"{value!r} cannot be compared with; use a number or text")
                expected = f"{symbol} {literal(value)}"
                break
        else:
            operator = next(name for name in _RANGES if name in item)
            low, high = item[operator]
            check_order(self.document, [*where, operator], low, high)
            expected = f"{_RANGES[operator]} {literal(low)} and {literal(high)}"
        return f"its query gives {expected}", kinds.query_returns(written_query(item), expected)

    def _custom(self, where: Where, item: dict[str, Any]) -> tuple[str, Assertion]:
        if item["engine"].lower().replace("-", "").replace("_", "") != "greatexpectations":
            raise self.document.error([*where, "engine"], f"'{item['engine']}' cannot be checked; use greatExpectations")
        implementation = item["implementation"]
        known = isinstance(implementation, dict) and implementation.keys() <= {"type", "kwargs"}
        kwargs = implementation.get("kwargs", {}) if known else None
        if not isinstance(kwargs, dict) or not isinstance(implementation.get("type"), str):
            raise self.document.error([*where, "implementation"], "must be '{type: expect_…, kwargs: {…}}'")
        try:
            assertion = Assertion.from_expectation(implementation["type"], kwargs)
        except BadArgument as error:
            raise self.document.error([*where, "implementation", "kwargs", error.argument], str(error)) from None
        _, _, condition = " ".join(str(kwargs.get(kinds.QUERY_ARGUMENT, "")).split()).partition(" where ")
        return f"no row where {condition[:120]}" if condition and assertion.violations else assertion.expectation, assertion
