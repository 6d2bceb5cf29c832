"""Quality rules: the assertions of a contract about its data, and the response to a violation."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from kit.contracts import rule_kinds as kinds
from kit.contracts.foreign_keys import ForeignKey, foreign_keys
from kit.contracts.on_failure import BLOCK, QUARANTINE, WARN, OnFailure
from kit.contracts.rule_kinds import Assertion
from kit.contracts.rule_query import Query
from kit.core import Document, Where, literal, mappings, normal_type

_OPERATORS = {
    "mustBe": "=", "mustNotBe": "<>", "mustBeGreaterThan": ">", "mustBeGreaterOrEqualTo": ">=",
    "mustBeLessThan": "<", "mustBeLessOrEqualTo": "<=",
}  # fmt: skip
_RANGES = {"mustBeBetween": "between", "mustNotBeBetween": "not between"}


@dataclass(frozen=True)
class Rule:
    """One rule about a table: what it asserts, under a name that people read, which begins with its `label` in the contract.

    Rows that violate a rule that `quarantines` are set aside before the audit, which still checks the rule.
    """

    name: str
    assertion: Assertion
    severity: str = "error"
    description: str = ""
    quarantines: bool = False
    foreign_key: ForeignKey | None = None
    label: str = ""

    @property
    def response(self) -> str:
        """The response to a violation: block, quarantine or warn."""
        return QUARANTINE if self.quarantines else BLOCK if self.severity == "error" else WARN


class RuleReader:
    """Reads the rules of one contract; raises `InvalidFile` for a rule that cannot be checked."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def check_operators(self, where: Where, owner: dict[str, Any]) -> None:
        """Raise `InvalidFile` for a rule without subject or operator, in clearer words than the JSON schema."""
        allowed = (*_OPERATORS, *_RANGES)
        for position, item in enumerate(mappings(owner.get("quality"))):
            subject = {"library": "metric", "sql": "query"}.get(item.get("type") or "library")
            if subject and subject not in item:
                raise self.document.error([*where, position], f"has no {subject}, which says what is measured")
            if subject and len(item.keys() & set(allowed)) != 1:
                problem = f"must hold exactly one of {', '.join(allowed)}"
                raise self.document.error([*where, position], problem)

    def rules(self, table: dict[str, Any], properties: list[dict[str, Any]], key: tuple[str, ...]) -> Iterator[Rule]:
        """Yield the rules of a table: those that its columns, key and relationships imply, and those under `quality`."""
        responses: dict[str, OnFailure] = {}
        for position, item in enumerate(properties):
            where: Where = ["schema", 0, "properties", position]
            column = item["name"]
            responses[column] = OnFailure.from_item(self.document, where, item)
            for rule in self._implied(where, item, key):
                yield self._with_response(rule, responses[column])
            for number, quality in enumerate(item.get("quality") or []):
                yield self._quality([*where, "quality", number], quality, column)
        floats = [item["name"] for item in properties if normal_type(item["physicalType"]) in ("float", "double")]
        for response in dict.fromkeys(responses[column].response for column in floats):
            columns = [column for column in floats if responses[column].response == response]
            yield self._with_response(_finite(columns, len(floats)), responses[columns[0]])
        if len(key) > 1:
            compound = Rule(f"{', '.join(key)} together are unique", kinds.unique_together(list(key)))
            yield self._with_response(compound, OnFailure.strictest([responses[column] for column in key]))
        for foreign_key in foreign_keys(self.document, table):
            rule = Rule(foreign_key.name, kinds.refers_to(foreign_key), foreign_key=foreign_key)
            yield self._with_response(rule, foreign_key.on_failure)
        for number, quality in enumerate(table.get("quality") or []):
            yield self._quality(["schema", 0, "quality", number], quality, None)

    def _implied(self, where: Where, item: dict[str, Any], key: tuple[str, ...]) -> Iterator[Rule]:
        """Yield the rules that the fields of a column imply."""
        column = item["name"]
        if item.get("required") or item.get("primaryKey"):
            yield Rule(f"{column} is required", kinds.not_null(column))
        if item.get("unique") or key == (column,):
            yield Rule(f"{column} is unique", kinds.unique(column))
        yield from self._options([*where, "logicalTypeOptions"], column, item.get("logicalTypeOptions") or {})

    def _with_response(self, rule: Rule, on_failure: OnFailure) -> Rule:
        """Return the rule with the response to its violation."""
        quarantines = on_failure.response == QUARANTINE
        if quarantines and rule.assertion.violations is None:
            problem = (
                f"'{rule.name}' selects no rows to set aside; only rules about single values, keys and custom rules "
                "that `select * from ${table}` do; use block or warn"
            )
            raise self.document.error(on_failure.where, problem)
        severity = "warning" if on_failure.response == WARN else "error"
        return replace(rule, severity=severity, quarantines=quarantines)

    def _options(self, where: Where, column: str, options: dict[str, Any]) -> Iterator[Rule]:
        known = {"minimum", "maximum", "minLength", "maxLength", "pattern"}
        for name in options:
            if name not in known:
                raise self.document.error(
                    [*where, name], f"the option '{name}' cannot be checked; there are: {', '.join(sorted(known))}"
                )
        low, high = options.get("minimum"), options.get("maximum")
        self._check_order(where, low, high)
        if low is not None or high is not None:
            yield Rule(f"{column} is {_range(low, high)}", kinds.in_range(column, low, high))
        low, high = options.get("minLength"), options.get("maxLength")
        self._check_order(where, low, high)
        if low is not None or high is not None:
            yield Rule(f"length of {column} is {_range(low, high)}", kinds.text_length(column, low, high))
        if "pattern" in options:
            pattern = str(options["pattern"])
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise self.document.error([*where, "pattern"], f"'{pattern}' is not a regular expression: {error}") from None
            yield Rule(f"{column} matches {pattern}", kinds.matches(column, pattern))

    def _check_order(self, where: Where, low: Any, high: Any) -> None:
        if low is not None and high is not None and low > high:
            raise self.document.error(where, f"no value is between {low} and {high}; write the smaller one first")

    def _quality(self, where: Where, item: dict[str, Any], column: str | None) -> Rule:
        on_failure = OnFailure.from_item(self.document, where, item)
        kind = item.get("type") or "library"
        if kind == "library":
            name, assertion = self._library(where, item, column)
        elif kind == "sql":
            name, assertion = self._sql(where, item)
        elif kind == "custom":
            name, assertion = self._custom(where, item)
        else:
            raise self.document.error(where, f"a rule of type '{kind}' cannot be checked; use library, sql or custom")
        if column and not assertion.columns:
            assertion = replace(assertion, columns=(column,))
        label = item.get("name") or ""
        name = f"{label}: {name}" if label else name
        rule = Rule(name, assertion, description=item.get("description") or "", label=label)
        return self._with_response(rule, on_failure)

    def _library(self, where: Where, item: dict[str, Any], column: str | None) -> tuple[str, Assertion]:
        metric, fail = item.get("metric"), self.document.error
        if metric == "rowCount" and column is None:
            if item.get("unit", "rows") != "rows":
                raise fail([*where, "unit"], f"rowCount cannot be counted in '{item['unit']}'; leave the unit out or use rows")
            low, high = self._row_bounds(where, item)
            return f"rows are {_range(low, high)}", kinds.row_count(low, high)
        if metric in ("invalidValues", "duplicateValues", "nullValues") and column:
            known = {"validValues"} if metric == "invalidValues" else set()
            if unknown := sorted(set(item.get("arguments") or {}) - known):
                allowed = ", ".join(known) or "none"
                problem = f"{metric} has no argument '{unknown[0]}' that can be checked; there is: {allowed}"
                raise fail([*where, "arguments"], problem)
            if metric in ("invalidValues", "duplicateValues") and item.get("mustBe") != 0:
                raise fail(where, f"{metric} can only be promised with 'mustBe: 0'")
            if metric == "invalidValues":
                values = (item.get("arguments") or {}).get("validValues")
                if not isinstance(values, list) or not values:
                    raise fail(where, "invalidValues needs 'arguments: {validValues: [...]}'")
                return f"{column} is one of {len(values)} values", kinds.accepted_values(column, values)
            if metric == "duplicateValues":
                return f"{column} is unique", kinds.unique(column)
            percent = item.get("mustBeLessOrEqualTo")
            if item.get("unit") != "percent" or percent is None or not 0 <= percent <= 100:
                raise fail(where, f"{metric} needs 'mustBeLessOrEqualTo' between 0 and 100 with 'unit: percent'")
            return f"at most {percent} % of {column} are null", kinds.not_null(column, round(1 - percent / 100, 12))
        level = "a column" if column else "the table"
        allowed = "nullValues, invalidValues, duplicateValues" if column else "rowCount"
        raise fail(where, f"the metric '{metric}' cannot be checked on {level}; there are: {allowed}")

    def _row_bounds(self, where: Where, item: dict[str, Any]) -> tuple[int | None, int | None]:
        if "mustBeBetween" in item:
            low, high = item["mustBeBetween"]
            self._check_order([*where, "mustBeBetween"], low, high)
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
        for operator, symbol in _OPERATORS.items():
            if operator in item:
                value = item[operator]
                if not isinstance(value, int | float | str):
                    raise self.document.error([*where, operator], f"{value!r} cannot be compared with; use a number or text")
                expected = f"{symbol} {literal(value)}"
                break
        else:
            operator = next(name for name in _RANGES if name in item)
            low, high = item[operator]
            self._check_order([*where, operator], low, high)
            expected = f"{_RANGES[operator]} {literal(low)} and {literal(high)}"
        query = Query.from_contract(str(item["query"]).strip().rstrip("; \n"))
        return f"its query gives {expected}", kinds.query_returns(query, expected)

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
        except ValueError as error:
            raise self.document.error([*where, "implementation", "kwargs", kinds.QUERY_ARGUMENT], str(error)) from None
        _, _, condition = " ".join(str(kwargs.get(kinds.QUERY_ARGUMENT, "")).split()).partition(" where ")
        return f"no row where {condition[:120]}" if condition and assertion.violations else assertion.expectation, assertion


def _finite(columns: list[str], candidates: int) -> Rule:
    """Return the rule that columns are finite; `candidates` is the number of columns that could hold NaN or infinity."""
    name = "numbers" if len(columns) == candidates else ", ".join(columns)
    return Rule(f"{name} are finite" if len(columns) > 1 else f"{columns[0]} is finite", kinds.finite(columns))


def _range(low: object, high: object) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"between {low} and {high}"
