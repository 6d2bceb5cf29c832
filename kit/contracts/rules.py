"""Quality rules: what a contract promises about its data, as Great Expectations expectations."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kit.contracts.foreign_keys import ForeignKey, foreign_keys
from kit.contracts.on_failure import QUARANTINE, WARN, OnFailure
from kit.contracts.rule_query import Query, bare, taken_apart
from kit.contracts.rule_sql import breaking
from kit.core import Document, Where, literal, mappings, normal_type

_OPERATORS = {
    "mustBe": "=", "mustNotBe": "<>", "mustBeGreaterThan": ">", "mustBeGreaterOrEqualTo": ">=",
    "mustBeLessThan": "<", "mustBeLessOrEqualTo": "<=",
}  # fmt: skip
# What would leave the tables a rule is about: further statements, functions that read or set, files in the place of tables.
_FOREIGN = re.compile(
    r"""^(?!select\b|with\b|from\b)\S*|;|/\*|"""
    r"""\b((read|enable|disable|force|truncate|duckdb|pragma)_\w+|\w+_scan|glob|sniff_csv|getenv|query|query_table)"?\s*\(|"""
    r"""\b(from|join)\s*'|"[^"]*[./\\][^"]*\"""",
    re.IGNORECASE,
)
_RANGES = {"mustBeBetween": "between", "mustNotBeBetween": "not between"}


@dataclass(frozen=True)
class Rule:
    """One promise about the data, in the form of a Great Expectations expectation.

    `kwargs` are its arguments, a query among them as a `Query`. `columns` are those it speaks of.
    What is audited keeps a rule that `quarantines`, since the rows that break it were set aside before.
    """

    name: str
    type: str
    kwargs: Mapping[str, Any]
    columns: tuple[str, ...] = ()
    severity: str = "error"
    description: str = ""
    quarantines: bool = False
    foreign_key: ForeignKey | None = None


class RuleReader:
    """Turns the rules of one contract into expectations; raises `InvalidFile` for one that cannot be checked."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def operators(self, where: Where, owner: dict[str, Any]) -> None:
        """Ask for each rule's subject and operator before the JSON schema does, in words that help nobody."""
        allowed = (*_OPERATORS, *_RANGES)
        for position, item in enumerate(mappings(owner.get("quality"))):
            subject = {"library": "metric", "sql": "query"}.get(item.get("type") or "library")
            if subject and subject not in item:
                raise self.document.error([*where, position], f"has no {subject}, which says what is measured")
            if subject and len(item.keys() & set(allowed)) != 1:
                problem = f"must hold exactly one of {', '.join(allowed)}"
                raise self.document.error([*where, position], problem)

    def of(self, table: dict[str, Any], properties: list[dict[str, Any]], key: tuple[str, ...]) -> Iterator[Rule]:
        """Every rule of a table: those its columns, key and relationships imply, and those under `quality`."""
        responses: dict[str, OnFailure] = {}
        for position, item in enumerate(properties):
            where: Where = ["schema", 0, "properties", position]
            column = item["name"]
            responses[column] = OnFailure.of(self.document, where, item)
            for rule in self._implied(where, item, key):
                yield self._answered(rule, responses[column])
            for number, quality in enumerate(item.get("quality") or []):
                yield self._quality([*where, "quality", number], quality, column)
        floats = [item["name"] for item in properties if normal_type(item["physicalType"]) in ("float", "double")]
        for response in dict.fromkeys(responses[column].response for column in floats):
            mine = [column for column in floats if responses[column].response == response]
            yield self._answered(_finite(mine, of=len(floats)), responses[mine[0]])
        if len(key) > 1:
            name = f"{', '.join(key)} together are unique"
            compound = Rule(name, "expect_compound_columns_to_be_unique", {"column_list": list(key)}, key)
            yield self._answered(compound, OnFailure.gravest([responses[column] for column in key]))
        for foreign in foreign_keys(self.document, table):
            orphans = {"unexpected_rows_query": foreign.orphans}
            found = Rule(foreign.name, "unexpected_rows_expectation", orphans, foreign.columns, foreign_key=foreign)
            yield self._answered(found, foreign.on_failure)
        for number, quality in enumerate(table.get("quality") or []):
            yield self._quality(["schema", 0, "quality", number], quality, None)

    def _implied(self, where: Where, item: dict[str, Any], key: tuple[str, ...]) -> Iterator[Rule]:
        """The rules that the fields of a column imply."""
        column = item["name"]
        if item.get("required") or item.get("primaryKey"):
            yield _rule(f"{column} is required", "expect_column_values_to_not_be_null", column)
        if item.get("unique") or key == (column,):
            yield _rule(f"{column} is unique", "expect_column_values_to_be_unique", column)
        yield from self._options([*where, "logicalTypeOptions"], column, item.get("logicalTypeOptions") or {})

    def _answered(self, rule: Rule, on_failure: OnFailure) -> Rule:
        """The rule with what is to happen when it is broken."""
        quarantines = on_failure.response == QUARANTINE
        if quarantines and breaking(rule.type, rule.kwargs) is None:
            problem = (
                f"'{rule.name}' tells no rows to set aside; only rules about single values, keys and custom rules "
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
        self._ordered(where, low, high)
        if low is not None or high is not None:
            kwargs = {"min_value": low, "max_value": high}
            yield _rule(f"{column} is {_range(low, high)}", "expect_column_values_to_be_between", column, kwargs)
        short, long = options.get("minLength"), options.get("maxLength")
        self._ordered(where, short, long)
        if short is not None or long is not None:
            kwargs = {"min_value": short, "max_value": long}
            name = f"length of {column} is {_range(short, long)}"
            yield _rule(name, "expect_column_value_lengths_to_be_between", column, kwargs)
        if "pattern" in options:
            pattern = str(options["pattern"])
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise self.document.error([*where, "pattern"], f"'{pattern}' is not a regular expression: {error}") from None
            kwargs = {"unexpected_rows_query": Query.rows(f'not regexp_full_match("{column}", {literal(pattern)})')}
            yield Rule(f"{column} matches {pattern}", "unexpected_rows_expectation", kwargs, (column,))

    def _ordered(self, where: Where, low: Any, high: Any) -> None:
        if low is not None and high is not None and low > high:
            raise self.document.error(where, f"no value is between {low} and {high}; write the smaller one first")

    def _quality(self, where: Where, item: dict[str, Any], column: str | None) -> Rule:
        on_failure = OnFailure.of(self.document, where, item)
        kind = item.get("type") or "library"
        if kind == "library":
            name, expectation, kwargs = self._library(where, item, column)
        elif kind == "sql":
            name, expectation, kwargs = self._sql(where, item)
        elif kind == "custom":
            name, expectation, kwargs = self._custom(where, item)
        else:
            raise self.document.error(where, f"a rule of type '{kind}' cannot be checked; use library, sql or custom")
        columns = (column,) if column else ()
        given = item.get("name")
        called = f"{given}: {name}" if given else name
        rule = Rule(called, expectation, kwargs, columns, description=item.get("description") or "")
        return self._answered(rule, on_failure)

    def _library(self, where: Where, item: dict[str, Any], column: str | None) -> tuple[str, str, dict[str, Any]]:
        metric, fail = item.get("metric"), self.document.error
        if metric == "rowCount" and column is None:
            if item.get("unit", "rows") != "rows":
                raise fail([*where, "unit"], f"rowCount cannot be counted in '{item['unit']}'; leave the unit out or use rows")
            low, high = self._bounds(where, item)
            return (
                f"rows are {_range(low, high)}",
                "expect_table_row_count_to_be_between",
                {"min_value": low, "max_value": high},
            )
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
                kwargs = {"column": column, "value_set": values}
                return f"{column} is one of {len(values)} values", "expect_column_values_to_be_in_set", kwargs
            if metric == "duplicateValues":
                return f"{column} is unique", "expect_column_values_to_be_unique", {"column": column}
            percent = item.get("mustBeLessOrEqualTo")
            if item.get("unit") != "percent" or percent is None or not 0 <= percent <= 100:
                raise fail(where, f"{metric} needs 'mustBeLessOrEqualTo' between 0 and 100 with 'unit: percent'")
            share: dict[str, Any] = {"column": column, "mostly": round(1 - percent / 100, 12)}
            return f"at most {percent} % of {column} are null", "expect_column_values_to_not_be_null", share
        level = "a column" if column else "the table"
        allowed = "nullValues, invalidValues, duplicateValues" if column else "rowCount"
        raise fail(where, f"the metric '{metric}' cannot be checked on {level}; there are: {allowed}")

    def _bounds(self, where: Where, item: dict[str, Any]) -> tuple[int | None, int | None]:
        if "mustBeBetween" in item:
            low, high = item["mustBeBetween"]
            self._ordered([*where, "mustBeBetween"], low, high)
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

    def _sql(self, where: Where, item: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
        query = str(item["query"]).strip().rstrip("; \n")
        if problem := leaves_tables(query):
            raise self.document.error([*where, "query"], problem)
        for operator, symbol in _OPERATORS.items():
            if operator in item:
                value = item[operator]
                if not isinstance(value, int | float | str):
                    raise self.document.error([*where, operator], f"{value!r} cannot be compared with; use a number or text")
                holds = f"{symbol} {literal(value)}"
                break
        else:
            operator = next(name for name in _RANGES if name in item)
            low, high = item[operator]
            self._ordered([*where, operator], low, high)
            holds = f"{_RANGES[operator]} {literal(low)} and {literal(high)}"
        after = f"\n) as rule(observed) where not coalesce(observed {holds}, false)"
        rows = Query.of_contract(query).within("select observed from (\n", after)
        return f"its query gives {holds}", "unexpected_rows_expectation", {"unexpected_rows_query": rows}

    def _custom(self, where: Where, item: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
        if item["engine"].lower().replace("-", "").replace("_", "") != "greatexpectations":
            raise self.document.error([*where, "engine"], f"'{item['engine']}' cannot be checked; use greatExpectations")
        given = item["implementation"]
        kwargs = given.get("kwargs", {}) if isinstance(given, dict) and set(given) <= {"type", "kwargs"} else None
        if not isinstance(kwargs, dict) or not isinstance(given.get("type"), str):
            raise self.document.error([*where, "implementation"], "must be '{type: expect_…, kwargs: {…}}'")
        if problem := leaves_tables(kwargs.get("unexpected_rows_query", "select")):
            raise self.document.error([*where, "implementation", "kwargs", "unexpected_rows_query"], problem)
        _, where, condition = " ".join(str(kwargs.get("unexpected_rows_query", "")).split()).partition(" where ")
        kwargs = taken_apart(kwargs)
        name = f"no row where {condition[:120]}" if where and breaking(given["type"], kwargs) else given["type"]
        return name, given["type"], kwargs


def leaves_tables(query: object) -> str | None:
    """What is wrong with a query that does more than ask the tables there are; None when nothing is."""
    if found := _FOREIGN.search(bare(str(query)).strip()):
        return f"must be one query of the tables: '{found[0]}' is not allowed"
    return None


def _rule(name: str, expectation: str, column: str, kwargs: Mapping[str, Any] | None = None) -> Rule:
    return Rule(name, expectation, {"column": column, **(kwargs or {})}, (column,))


def _finite(columns: list[str], of: int) -> Rule:
    """To DuckDB NaN is greater than any number, so that no minimum would stop it. `of` are all columns that could be it."""
    every = "numbers" if len(columns) == of else ", ".join(columns)
    name = f"{every} are finite" if len(columns) > 1 else f"{columns[0]} is finite"
    unless = " or ".join(f'not isfinite("{column}")' for column in columns)
    kwargs = {"unexpected_rows_query": Query.rows(unless)}
    return Rule(name, "unexpected_rows_expectation", kwargs, tuple(columns))


def _range(low: object, high: object) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"between {low} and {high}"
