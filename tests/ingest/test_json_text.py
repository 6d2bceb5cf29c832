from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from kit.ingest import json_text


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, None, True, "Köln\n"]}, '{"a": [1, null, true, "Köln\\n"]}'),
        ({"a": Decimal("12345678901234567890.10"), "b": ("x", {1: Decimal("1E+400")})},
         '{"a": 12345678901234567890.10, "b": ["x", {"1": 1E+400}]}'),
        ([date(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), UUID(int=1), Colour.RED],
         '["2024-01-01", "2024-01-01 00:00:00+00:00", "00000000-0000-0000-0000-000000000001", "red"]'),
        ([Decimal(1), Colour.RED], '[1, "red"]'),
    ],
)  # fmt: skip
def test_json_has_the_values_exactly(value: Any, text: str) -> None:
    assert json_text.dumps(value) == text


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([float("inf")], "has NaN or an infinite number inside of it, which JSON lacks; make that null"),
        ([Decimal("NaN")], "has NaN or an infinite number inside of it, which JSON lacks; make that null"),
        ({"a": b"x"}, "has bytes inside of it, which JSON lacks; make that text or a number"),
        ({"a": {1}, "b": Decimal(1)}, "has set inside of it, which JSON lacks; make that text or a number"),
        ({(1, 2): 3}, "is no JSON: keys must be str, int, float, bool or None, not tuple"),
    ],
)
def test_what_json_lacks_is_refused(value: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^(has|is)") as caught:
        json_text.dumps(value)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.1", 0.1), ("1e2", 100.0), ("1e400", Decimal("1e400")), ("1e-400", Decimal("1e-400")),
     ("1718000000.1234567", 1718000000.1234567), ("0.12345678901234567890", Decimal("0.12345678901234567890"))],
)  # fmt: skip
def test_a_number_that_a_float_would_change_is_a_decimal(text: str, value: Any) -> None:
    assert json_text.loads(text) == value
    assert type(json_text.loads(text)) is type(value)
