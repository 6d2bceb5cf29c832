"""An output port's promise: an ODCS contract as an immutable value, and the expectations that follow from it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from kit.files import IDENTIFIER, Document, Where, read_yaml

SEVERITIES = ("error", "warning")
CLASSIFICATIONS = ("public", "internal", "confidential", "personal")

_TYPES = {
    "bool": "boolean", "int8": "bigint", "long": "bigint", "int": "integer", "int4": "integer", "short": "smallint",
    "int2": "smallint", "real": "float", "float4": "float", "float8": "double", "text": "varchar", "string": "varchar",
    "char": "varchar", "datetime": "timestamp", "timestamptz": "timestamp with time zone", "numeric": "decimal",
}  # fmt: skip
_KNOWN_TYPES = {
    "boolean", "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint",
    "float", "double", "varchar", "date", "time", "timestamp", "timestamp with time zone", "blob", "uuid", "json",
}  # fmt: skip
_DECIMAL = re.compile(r"decimal\((\d{1,2}),(\d{1,2})\)")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")
_OPERATORS = {
    "mustBe": "=", "mustNotBe": "<>", "mustBeGreaterThan": ">", "mustBeGreaterOrEqualTo": ">=",
    "mustBeLessThan": "<", "mustBeLessOrEqualTo": "<=",
}  # fmt: skip
_RANGES = {"mustBeBetween": "between", "mustNotBeBetween": "not between"}
_UNITS = {"h": 1, "hour": 1, "hours": 1, "d": 24, "day": 24, "days": 24, "w": 168, "week": 168, "weeks": 168,
          "y": 8766, "yr": 8766, "year": 8766, "years": 8766}  # fmt: skip
_LONGEST = 1000 * _UNITS["y"]


@dataclass(frozen=True, order=True)
class Version:
    """A semantic version, ordered."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: object) -> "Version | None":
        """The version in `text`, or None when it is not `MAJOR.MINOR.PATCH`."""
        match = _VERSION.fullmatch(text) if isinstance(text, str) else None
        return cls(*map(int, match.groups())) if match else None

    def serves(self, wanted: "Version") -> bool:
        """Whether a reader that asked for `wanted` can use this one: same major version, not older."""
        return self.major == wanted.major and self >= wanted

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True)
class Column:
    """One column as promised; `type` is a DuckDB type in lower case."""

    name: str
    type: str
    logical_type: str
    description: str
    required: bool
    classification: str | None


@dataclass(frozen=True)
class Rule:
    """One promise about the data, in the form of a Great Expectations expectation.

    `kwargs` may hold the text `${table}`, which stands for the audited table. `columns` are those it speaks of.
    """

    name: str
    type: str
    kwargs: Mapping[str, Any]
    columns: tuple[str, ...] = ()
    severity: str = "error"
    description: str = ""


@dataclass(frozen=True)
class Sla:
    """Service levels: how old the newest data may be, how often it is published, how long it is kept."""

    latency: timedelta | None = None
    latency_column: str | None = None
    frequency: timedelta | None = None
    retention: timedelta | None = None


@dataclass(frozen=True)
class Contract:
    """An ODCS data contract for one table."""

    path: Path
    id: str
    version: Version
    table: str
    title: str
    description: str
    team: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    rules: tuple[Rule, ...]
    sla: Sla
    tags: tuple[str, ...] = field(default=())

    @classmethod
    def load(cls, path: Path) -> "Contract":
        """Read and check one contract file; raises `InvalidFile` naming file, line, field, value and what is allowed.

        The file must follow the Open Data Contract Standard 3.1 (https://bitol-io.github.io/open-data-contract-standard/)
        and describe exactly one table. A quality rule that cannot be checked is refused, never dropped.
        """
        return _Reader(read_yaml(path)).contract()


def normal_type(text: str) -> str | None:
    """The DuckDB name of a column type, or None for a type the kit does not know."""
    whole = re.sub(r"\s*([(),])\s*", r"\1", text.strip().lower())
    name = re.sub(r"(\[\])+$", "", whole)
    lists = whole[len(name) :]
    base, bracket, rest = name.partition("(")
    base = _TYPES.get(base, base)
    if base == "varchar" and re.fullmatch(r"|\([0-9]+\)", bracket + rest):
        return f"varchar{lists}"
    if match := _DECIMAL.fullmatch(base + bracket + rest):
        precision, scale = int(match[1]), int(match[2])
        return f"decimal({precision},{scale}){lists}" if 0 < precision <= 38 and scale <= precision else None
    return f"{base}{lists}" if base in _KNOWN_TYPES and not bracket else None


@cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
    return jsonschema.Draft201909Validator(schema)


def check_schema(document: Document, validator: Any) -> None:
    """Raise `InvalidFile` for the first and most specific way in which a document breaks a JSON schema."""
    from jsonschema.exceptions import best_match

    errors = list(validator.iter_errors(document.data))
    # Where a field has a wrong value, its neighbours count as unevaluated too: that error says the least.
    error = best_match([error for error in errors if error.validator != "unevaluatedProperties"] or errors)
    if error is not None:
        message = error.message if len(error.message) < 300 else f"{error.message[:150]} … {error.message[-120:]}"
        if error.validator == "additionalProperties":
            message += f"; there are: {', '.join(error.schema['properties'])}"
        raise document.error([*error.absolute_path], message)


class _Reader:
    """Turns one checked document into a `Contract`."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.data = document.data

    def contract(self) -> Contract:
        fail, data = self.document.error, self.data
        self.before_schema()
        check_schema(self.document, _validator())
        version = Version.parse(data["version"])
        if version is None:
            raise fail(["version"], f"'{data['version']}' is not a version; write MAJOR.MINOR.PATCH such as 1.0.0")
        tables = data.get("schema") or []
        if len(tables) != 1:
            raise fail(["schema"], f"describes {len(tables)} tables; a contract of this mesh describes exactly one")
        table = tables[0]
        at: Where = ["schema", 0]
        name = self.identifier([*at, "name"], table.get("name"))
        if not table.get("description"):
            raise fail(at, f"'{name}' has no description; say what one row is")
        properties = table.get("properties") or []
        if not properties:
            raise fail(at, f"'{name}' has no properties; list every column")
        columns = tuple(self.column([*at, "properties", i], item) for i, item in enumerate(properties))
        names = [column.name for column in columns]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise fail([*at, "properties"], f"the column '{twice[0]}' stands twice; keep one")
        key = self.key(properties)
        team = data.get("team") or {}
        return Contract(
            path=self.document.path,
            id=data["id"],
            version=version,
            table=name,
            title=data.get("name") or name,
            description=table["description"],
            team=team.get("name", "") if isinstance(team, dict) else "",
            columns=columns,
            key=key,
            rules=tuple(self.rules(table, properties, key)),
            sla=self.sla(name, columns),
            tags=tuple(data.get("tags") or ()),
        )

    def before_schema(self) -> None:
        """Ask for what the JSON schema would ask for in words that help nobody."""
        for number, table in enumerate(_mappings(self.data.get("schema"))):
            at: Where = ["schema", number]
            self.operators([*at, "quality"], table)
            for position, item in enumerate(_mappings(table.get("properties"))):
                where: Where = [*at, "properties", position]
                if "logicalType" not in item:
                    allowed = "string, integer, number, boolean, date, timestamp, time, object, array"
                    raise self.document.error(where, f"'{item.get('name')}' has no logicalType; use one of {allowed}")
                self.operators([*where, "quality"], item)

    def operators(self, where: Where, owner: dict[str, Any]) -> None:
        allowed = (*_OPERATORS, *_RANGES)
        for position, item in enumerate(_mappings(owner.get("quality"))):
            subject = {"library": "metric", "sql": "query"}.get(item.get("type") or "library")
            if subject and subject not in item:
                raise self.document.error([*where, position], f"has no {subject}, which says what is measured")
            if subject and len(item.keys() & set(allowed)) != 1:
                problem = f"must hold exactly one of {', '.join(allowed)}"
                raise self.document.error([*where, position], problem)

    def identifier(self, where: Where, value: object) -> str:
        if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
            raise self.document.error(where, f"'{value}' is not a name; use a-z, 0-9 and _, a letter first, at most 63")
        return value

    def column(self, where: Where, item: dict[str, Any]) -> Column:
        name = self.identifier([*where, "name"], item["name"])
        if "physicalType" not in item:
            raise self.document.error(where, f"'{name}' has no physicalType; write its column type such as varchar or bigint")
        kind = normal_type(item["physicalType"])
        if kind is None:
            raise self.document.error(
                [*where, "physicalType"],
                f"'{item['physicalType']}' is not a column type; use one of {', '.join(sorted(_KNOWN_TYPES))}, "
                "decimal(p,s), or one of these followed by []",
            )
        classification = item.get("classification")
        if classification is not None and classification not in CLASSIFICATIONS:
            raise self.document.error(
                [*where, "classification"], f"'{classification}' is not one of {', '.join(CLASSIFICATIONS)}"
            )
        return Column(
            name=name,
            type=kind,
            logical_type=item.get("logicalType") or "",
            description=item.get("description") or "",
            required=bool(item.get("required") or item.get("primaryKey")),
            classification=classification,
        )

    def key(self, properties: list[dict[str, Any]]) -> tuple[str, ...]:
        parts = [item for item in properties if item.get("primaryKey")]
        parts.sort(key=lambda item: item.get("primaryKeyPosition", 1))
        return tuple(item["name"] for item in parts)

    def rules(self, table: dict[str, Any], properties: list[dict[str, Any]], key: tuple[str, ...]) -> Iterator[Rule]:
        for position, item in enumerate(properties):
            where: Where = ["schema", 0, "properties", position]
            column = item["name"]
            if item.get("required") or item.get("primaryKey"):
                yield _rule(f"{column} is required", "expect_column_values_to_not_be_null", column)
            if item.get("unique") or key == (column,):
                yield _rule(f"{column} is unique", "expect_column_values_to_be_unique", column)
            yield from self.options([*where, "logicalTypeOptions"], column, item.get("logicalTypeOptions") or {})
            for number, quality in enumerate(item.get("quality") or []):
                yield self.quality([*where, "quality", number], quality, column)
        if floats := [item["name"] for item in properties if normal_type(item["physicalType"]) in ("float", "double")]:
            # To DuckDB NaN is greater than any number, so that no minimum would stop it.
            name = "numbers are finite" if len(floats) > 1 else f"{floats[0]} is finite"
            unless = " or ".join(f'not isfinite("{column}")' for column in floats)
            kwargs = {"unexpected_rows_query": f"select * from ${{table}} where {unless}"}
            yield Rule(name, "unexpected_rows_expectation", kwargs, tuple(floats))
        if len(key) > 1:
            name = f"{', '.join(key)} together are unique"
            yield Rule(name, "expect_compound_columns_to_be_unique", {"column_list": list(key)}, key)
        for number, quality in enumerate(table.get("quality") or []):
            yield self.quality(["schema", 0, "quality", number], quality, None)

    def options(self, where: Where, column: str, options: dict[str, Any]) -> Iterator[Rule]:
        known = {"minimum", "maximum", "minLength", "maxLength", "pattern"}
        for name in options:
            if name not in known:
                raise self.document.error(
                    [*where, name], f"the option '{name}' cannot be checked; there are: {', '.join(sorted(known))}"
                )
        low, high = options.get("minimum"), options.get("maximum")
        self.ordered(where, low, high)
        if low is not None or high is not None:
            kwargs = {"min_value": low, "max_value": high}
            yield _rule(f"{column} is {_range(low, high)}", "expect_column_values_to_be_between", column, kwargs)
        short, long = options.get("minLength"), options.get("maxLength")
        self.ordered(where, short, long)
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
            literal = pattern.replace("'", "''").replace("{", "{{").replace("}", "}}")
            query = f"""select * from ${{table}} where not regexp_full_match("{column}", '{literal}')"""
            kwargs = {"unexpected_rows_query": query}
            yield Rule(f"{column} matches {pattern}", "unexpected_rows_expectation", kwargs, (column,))

    def ordered(self, where: Where, low: Any, high: Any) -> None:
        if low is not None and high is not None and low > high:
            raise self.document.error(where, f"no value is between {low} and {high}; write the smaller one first")

    def quality(self, where: Where, item: dict[str, Any], column: str | None) -> Rule:
        severity = item.get("severity") or "error"
        if severity not in SEVERITIES:
            raise self.document.error([*where, "severity"], f"'{severity}' is not one of {', '.join(SEVERITIES)}")
        kind = item.get("type") or "library"
        if kind == "library":
            name, expectation, kwargs = self.library(where, item, column)
        elif kind == "sql":
            name, expectation, kwargs = self.sql(where, item)
        elif kind == "custom":
            name, expectation, kwargs = self.custom(where, item)
        else:
            raise self.document.error(where, f"a rule of type '{kind}' cannot be checked; use library, sql or custom")
        columns = (column,) if column else ()
        return Rule(item.get("name") or name, expectation, kwargs, columns, severity, item.get("description") or "")

    def library(self, where: Where, item: dict[str, Any], column: str | None) -> tuple[str, str, dict[str, Any]]:
        metric, fail = item.get("metric"), self.document.error
        if metric == "rowCount" and column is None:
            if item.get("unit", "rows") != "rows":
                raise fail([*where, "unit"], f"rowCount cannot be counted in '{item['unit']}'; leave the unit out or use rows")
            low, high = self.bounds(where, item)
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

    def bounds(self, where: Where, item: dict[str, Any]) -> tuple[int | None, int | None]:
        if "mustBeBetween" in item:
            low, high = item["mustBeBetween"]
            self.ordered([*where, "mustBeBetween"], low, high)
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

    def sql(self, where: Where, item: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
        query = (
            str(item["query"]).strip().rstrip("; \n").replace("{", "{{").replace("}", "}}").replace("${{table}}", "${table}")
        )
        for operator, symbol in _OPERATORS.items():
            if operator in item:
                value = item[operator]
                if not isinstance(value, int | float | str):
                    raise self.document.error([*where, operator], f"{value!r} cannot be compared with; use a number or text")
                holds = f"observed {symbol} {_literal(value)}"
                break
        else:
            operator = next(name for name in _RANGES if name in item)
            low, high = item[operator]
            self.ordered([*where, operator], low, high)
            holds = f"observed {_RANGES[operator]} {_literal(low)} and {_literal(high)}"
        shown = holds.replace("{", "{{").replace("}", "}}")
        rows = f"select observed from (\n{query}\n) as rule(observed) where not coalesce({shown}, false)"
        return f"query: {holds}", "unexpected_rows_expectation", {"unexpected_rows_query": rows}

    def custom(self, where: Where, item: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
        if item["engine"].lower().replace("-", "").replace("_", "") != "greatexpectations":
            raise self.document.error([*where, "engine"], f"'{item['engine']}' cannot be checked; use greatExpectations")
        given = item["implementation"]
        kwargs = given.get("kwargs", {}) if isinstance(given, dict) and set(given) <= {"type", "kwargs"} else None
        if not isinstance(kwargs, dict) or not isinstance(given.get("type"), str):
            raise self.document.error([*where, "implementation"], "must be '{type: expect_…, kwargs: {…}}'")
        return given["type"], given["type"], kwargs

    def sla(self, table: str, columns: tuple[Column, ...]) -> Sla:
        dated = [column.name for column in columns if column.type.startswith(("date", "timestamp"))]
        values: dict[str, Any] = {}
        for position, item in enumerate(self.data.get("slaProperties") or []):
            where: Where = ["slaProperties", position]
            name = item["property"]
            if name not in ("latency", "frequency", "retention"):
                raise self.document.error(
                    [*where, "property"], f"'{name}' cannot be measured; there are: latency, frequency, retention"
                )
            if name in values:
                raise self.document.error(where, f"{name} stands twice; keep one")
            hours, value, unit = _UNITS.get(str(item.get("unit"))), item["value"], item.get("unit") or "without unit"
            if hours is None or type(value) not in (int, float) or not 0 < hours * value <= _LONGEST:
                raise self.document.error(
                    where, f"{name} is {value!r} {unit}; give a number above 0 and a unit: h, d, w or y, at most 1000 y"
                )
            values[name] = timedelta(hours=hours * value)
            if name == "latency":
                element = item.get("element", "")
                owner, _, column = element.partition(".")
                if owner != table or column not in dated:
                    raise self.document.error(
                        [*where, "element"],
                        f"'{element}' is not a date or timestamp of '{table}'; there are: {', '.join(dated) or 'none'}; "
                        f"write {table}.COLUMN",
                    )
                values["latency_column"] = column
        return Sla(**values)


def _mappings(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _rule(name: str, expectation: str, column: str, kwargs: Mapping[str, Any] | None = None) -> Rule:
    return Rule(name, expectation, {"column": column, **(kwargs or {})}, (column,))


def _range(low: object, high: object) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"between {low} and {high}"


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"
