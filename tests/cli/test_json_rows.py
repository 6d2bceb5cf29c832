import json
from typing import Any

import pytest

from kit.cli.json_rows import json_rows
from kit.core import database


def rows(query: str, limit: int | None = None) -> list[Any]:
    """The rows as a strict reader of JSON sees them."""

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    with database.connect() as connection:
        return [json.loads(line, parse_constant=refuse) for line in json_rows(connection, query, limit)]


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("1234567890123456789", 1234567890123456789),
        ("170141183460469231731687303715884105727::hugeint", 170141183460469231731687303715884105727),
        ("12345678901234567890.1234::decimal(38,4)", "12345678901234567890.1234"),
        ("0.1::double", 0.1),
        ("'nan'::double", "NaN"),
        ("'-inf'::float", "-Infinity"),
        ("true", True),
        ("null", None),
        ("'é\"' || chr(0)", 'é"\0'),
        ("'\\x00\\xff'::blob", "00ff"),
        ("date '2024-01-31'", "2024-01-31"),
        ("'20000-01-01'::date", "20000-01-01"),
        ("'infinity'::timestamp", "infinity"),
        ("'2024-01-31 12:30:00.123456789'::timestamp_ns", "2024-01-31 12:30:00.123456789"),
        ("'2024-01-31 12:30:00+02'::timestamptz", "2024-01-31 10:30:00+00"),
        ("interval '1 month 2 seconds'", "1 month 00:00:02"),
        ("'e3064e49-5561-4915-b3db-2f0eb83a51d8'::uuid", "e3064e49-5561-4915-b3db-2f0eb83a51d8"),
        ("[[1.50], null]", [["1.50"], None]),
        ("[date '2024-01-31']::date[1]", ["2024-01-31"]),
        ("{'a b': 'nan'::double, 'c': [interval '1 day']}", {"a b": "NaN", "c": ["1 day"]}),
        ("null::struct(a integer)", None),
        ("map([1.5], [['\\x00'::blob]])", {"1.5": ["00"]}),
        ("1::union(a integer, b varchar)", "1"),
    ],
)
def test_a_value_in_json(value: str, seen: Any) -> None:
    assert rows(f"select {value} as v") == [{"v": seen}]


def test_all_rows_are_there_unless_a_limit_is_asked_for() -> None:
    assert [row["i"] for row in rows("from range(2500) as t(i)")] == list(range(2500))
    assert rows("from range(2500) as t(i)", limit=2) == [{"i": 0}, {"i": 1}]
    assert rows("select 1 as a where false -- nothing") == []


def test_no_column_is_lost_when_names_are_alike() -> None:
    assert rows('select 1 as a, 2 as a, 3 as "A"') == [{"a": 1, "a_1": 2, "A_2": 3}]
