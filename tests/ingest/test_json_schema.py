from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from kit.core.errors import IngestError
from kit.ingest import json_text
from kit.ingest.connector import StreamColumn
from kit.ingest.json_schema import columns, frame


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "integer"}, "bigint"),
        ({"type": ["null", "integer"]}, "bigint"),
        ({"type": "number"}, "double"),
        ({"type": ["integer", "number"]}, "double"),
        ({"type": "number", "airbyte_type": "integer"}, "bigint"),
        ({"type": "number", "airbyte_type": "big_number"}, "varchar"),
        ({"type": "integer", "airbyte_type": "big_integer"}, "varchar"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "string"}, "varchar"),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": "string", "format": "date-time"}, "timestamp with time zone"),
        ({"type": "string", "format": "date-time", "airbyte_type": "timestamp_with_timezone"}, "timestamp with time zone"),
        ({"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"}, "timestamp"),
        ({"type": "string", "format": "time", "airbyte_type": "time_without_timezone"}, "time"),
        ({"type": "string", "format": "time"}, "varchar"),
        ({"type": "string", "contentEncoding": "base64"}, "blob"),
        ({"type": "object"}, "varchar"),
        ({"type": ["null", "array"]}, "varchar"),
        ({"type": ["string", "integer"]}, "varchar"),
        ({"oneOf": [{"type": "null"}, {"type": "string", "format": "date"}]}, "date"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "varchar"),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string"}, {"type": "null"}]}, "varchar"),
        ({"anyOf": [{"type": "integer", "airbyte_type": "big_integer"}, {"type": "integer"}]}, "bigint"),
        ({}, "varchar"),
        (True, "varchar"),
    ],
)
def test_the_type_of_a_column(schema: Any, kind: str) -> None:
    assert columns({"properties": {"x": schema}}) == (StreamColumn("x", kind),)


def test_columns_have_descriptions_and_are_required_unless_they_may_be_null() -> None:
    schema = {
        "required": ["a", "b"],
        "properties": {"a": {"type": "integer", "description": " The key. "}, "b": {"type": ["null", "integer"]}},
    }
    assert columns(schema) == (StreamColumn("a", "bigint", True, "The key."), StreamColumn("b", "bigint"))
    assert columns(schema, as_text=["a"])[0].type == "varchar"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("bigint", "9223372036854775807", 2**63 - 1),
        ("bigint", "3.0", 3),
        ("bigint", '"17"', 17),
        ("double", "0.1", 0.1),
        ("double", "3", 3.0),
        ("boolean", "false", False),
        ("varchar", '"a"', "a"),
        ("varchar", "123456789012345678.90", "123456789012345678.90"),
        ("varchar", '{"a": [1, 0.12345678901234567890, "é"]}', '{"a": [1, 0.12345678901234567890, "é"]}'),
        ("date", '"2024-02-29"', date(2024, 2, 29)),
        ("date", '"2024-02-29T00:00:00Z"', date(2024, 2, 29)),
        ("time", '"12:30:01.5"', time(12, 30, 1, 500000)),
        ("timestamp", '"2024-02-29T12:30:00.123456000"', datetime(2024, 2, 29, 12, 30, 0, 123456)),
        ("timestamp with time zone", '"2024-02-29T12:30:00+02:00"', datetime(2024, 2, 29, 10, 30, tzinfo=UTC)),
        ("timestamp with time zone", '"2024-02-29T12:30:00"', datetime(2024, 2, 29, 12, 30, tzinfo=UTC)),
        ("blob", '"AAE="', b"\x00\x01"),
        ("bigint", "null", None),
    ],
)
def test_values_are_read_exactly(kind: str, text: str, value: Any) -> None:
    made = frame([json_text.loads(f'{{"x": {text}}}'), {}], [StreamColumn("x", kind)])
    assert made["x"].to_list() == [value, None]


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (
            "bigint",
            "9223372036854775808",
            "has more than 64 bits; list it in as_text=(…), and it is text instead of the bigint",
        ),
        ("bigint", "1.5", "is no bigint"),
        ("bigint", "true", "is no bigint"),
        ("bigint", '"a"', "is no bigint"),
        ("double", "9007199254740993", "has more digits than a double holds; list it in as_text=(…), and it is text instead"),
        ("double", "0.12345678901234567890", "has more digits than a double holds"),
        ("boolean", "1", "is no boolean"),
        ("date", '"2024-02-30"', "is no date"),
        ("date", '"2024-02-29T01:00:00"', "has a time beside the date"),
        ("time", '"12:30:00+01:00"', "has an offset beside the time without a time zone"),
        ("timestamp", '"2024-02-29T12:30:00Z"', "has an offset beside the timestamp without a time zone"),
        ("timestamp with time zone", '"2024-02-29T12:30:00.1234567Z"', "is finer than microseconds"),
        ("timestamp with time zone", "12", "is no timestamp with time zone"),
        ("blob", '"?"', "is no blob"),
    ],
)
def test_a_value_that_its_column_cannot_hold_is_refused_without_it(kind: str, text: str, problem: str) -> None:
    with pytest.raises(IngestError) as caught:
        frame([{}, json_text.loads(f'{{"x": {text}}}')], [StreamColumn("x", kind)], before=1000)
    assert str(caught.value).startswith(f"'x' in record 1,002 {problem}")
    assert len(text) < 5 or text.strip('"') not in str(caught.value)
