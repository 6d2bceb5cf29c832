"""The tests that a team wrote for a dbt model as promises of a contract; those that no contract can promise stay tests."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.core import mappings
from kit.dbt.project import test_arguments, test_fields
from kit.scaffold.contract_draft import ColumnFacts, TableFacts

_ANY_VALUE = {"severity", "tags", "meta", "store_failures", "store_failures_as", "enabled"}
"""Settings of a test that do not change which rows violate it."""


@dataclass(frozen=True)
class Promises:
    """The rules of a contract that tests of a dbt model are; `others` are items for the `data_tests` of the model."""

    facts: TableFacts
    others: tuple[Any, ...] = ()


@dataclass
class _Column:
    """A column with the tests that were found for it."""

    name: str
    type: str
    description: str
    required: bool = False
    unique: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    quality: list[dict[str, Any]] = field(default_factory=list)


Relation = Callable[[str, str, str], str]
"""The name in contracts of a column that a test of relationships refers to, by `to`, `field` and type; empty for none."""


def promises(
    entry: Mapping[str, Any], types: Mapping[str, str], description: str, described: Mapping[str, str], relation: Relation
) -> Promises:
    """Return what the YAML entry of a model promises. `types` are those of its columns, `described` their descriptions.

    A test becomes a rule when the rule finds the same rows: `not_null`, `unique`, `accepted_values`, `relationships` and
    `dbt_utils.unique_combination_of_columns` without a `where`, a limit or thresholds.
    """
    columns = {name.lower(): _Column(name, kind, described.get(name.lower(), "")) for name, kind in types.items()}
    others: list[Any] = []
    of_columns: list[Any] = []
    for written in mappings(entry.get("columns")):
        column = columns.get(str(written.get("name")).lower())
        for item in _tests(written):
            if not _is_disabled(item) and not (column and _add(column, item, relation)):
                of_columns.append(_of_column(item, str(written.get("name"))))
    key = [column.name for column in columns.values() if column.unique and column.required][:1]
    for item in _tests(entry):
        if not key and (names := _combination(item, columns)):
            key = names
        elif not _is_disabled(item):
            others.append(item)
    facts = {column.name: ColumnFacts(column.description, _fields(column, key), tuple(column.quality))
             for column in columns.values()}  # fmt: skip
    return Promises(TableFacts(description, facts, tuple(key)), (*others, *of_columns))


def _tests(owner: Mapping[str, Any]) -> Iterator[Any]:
    items = owner.get("data_tests") or owner.get("tests")
    yield from items if isinstance(items, list) else ()


def _is_disabled(item: Any) -> bool:
    fields = test_fields(item)
    return _config(fields).get("enabled") is False


def _config(fields: Mapping[str, Any]) -> dict[str, Any]:
    config = fields.get("config")
    return {key: fields[key] for key in ("severity", "enabled") if key in fields} | (config if isinstance(config, dict) else {})


def _is_plain(fields: Mapping[str, Any]) -> bool:
    """Return whether a test looks at all rows and fails for the first violation."""
    config = _config(fields)
    others = {"where", "limit", "error_if", "warn_if", "fail_calc"} & fields.keys()
    return config.keys() <= _ANY_VALUE and not others and str(config.get("severity", "error")).lower() in ("error", "warn")


def _combination(item: Any, columns: Mapping[str, _Column]) -> list[str]:
    """Return the columns without nulls that a test says are unique together; empty for any other test."""
    fields = test_fields(item)
    names = test_arguments(fields).get("combination_of_columns")
    is_promise = str(fields.get("test_name")).endswith("unique_combination_of_columns") and _is_plain(fields)
    if not is_promise or _config(fields).get("severity", "error") != "error" or not isinstance(names, list):
        return []
    found = [columns[name] for name in map(str.lower, map(str, names)) if name in columns and columns[name].required]
    return [column.name for column in found] if len(found) == len(names) else []


def _add(column: _Column, item: Any, relation: Relation) -> bool:
    """Add a test of a column to its promises; return whether it is one."""
    fields = test_fields(item)
    if not _is_plain(fields):
        return False
    arguments = test_arguments(fields)
    warns = str(_config(fields).get("severity", "error")).lower() == "warn"
    severity = {"severity": "warning"} if warns else {}
    kind = str(fields.get("test_name")).removeprefix("dbt.")
    if kind == "not_null" and not arguments:
        if warns:
            column.quality.append({"metric": "nullValues", "mustBe": 0, **severity})
        column.required = column.required or not warns
        return True
    if kind == "unique" and not arguments:
        if warns:
            column.quality.append({"metric": "duplicateValues", "mustBe": 0, **severity})
        column.unique = column.unique or not warns
        return True
    if kind == "accepted_values" and arguments.keys() <= {"values", "quote"}:
        values = _values(arguments.get("values"), column.type)
        rule = {"metric": "invalidValues", "arguments": {"validValues": values}, "mustBe": 0, **severity}
        column.quality += [rule] if values else []
        return bool(values)
    if kind == "relationships" and arguments.keys() == {"to", "field"} and not warns:
        target = relation(str(arguments["to"]), str(arguments["field"]), column.type)
        if target and "relationships" not in column.fields:
            column.fields["relationships"] = [{"to": target}]
            return True
    return False


def _values(values: object, kind: str) -> list[Any]:
    """Return the values of a test as those of a column; empty when they are not of its type."""
    if not isinstance(values, list):
        return []
    if kind == "varchar":
        return [str(value) for value in values] if all(type(value) in (str, int) for value in values) else []
    if "int" in kind:
        texts = [str(value) for value in values]
        return list(map(int, texts)) if all(text.lstrip("-").isdigit() for text in texts) else []
    return []


def _fields(column: _Column, key: list[str]) -> dict[str, Any]:
    required = {"required": True} if column.required else {}
    unique = {"unique": True} if column.unique and key != [column.name] else {}
    return required | unique | column.fields


def _of_column(item: Any, column: str) -> Any:
    """Return a test of a column as one of the model, which names the column."""
    fields = test_fields(item)
    kind = fields.pop("test_name")
    arguments = {"column_name": column, **test_arguments(fields)}
    others = {key: value for key, value in fields.items() if key not in arguments and key != "arguments"}
    return {kind: {**others, "arguments": arguments}}
