"""The exactness of casts, asked of DuckDB; the forms of texts are in `test_typed_reader`."""

import duckdb
import pytest

from kit.ingest import casts


@pytest.mark.parametrize(
    ("source", "target", "castable"),
    [
        ("bigint", "bigint", True),
        ("varchar", "uuid", True),
        ("varchar", "bigint[]", True),
        ("bigint", "varchar", True),
        ("decimal(10,2)", "varchar", True),
        ("date", "varchar", False),
        ("blob", "varchar", False),
        ("double", "decimal(10,2)", True),
        ("boolean", "tinyint", True),
        ("integer", "date", False),
        ("timestamp_ns", "timestamp", True),
        ("time_ns", "time", True),
        ("time_ns", "timestamp", False),
        ("timestamp with time zone", "timestamp", True),
        ("timestamp", "timestamp with time zone", False),
        ("integer[]", "bigint[]", True),
        ("date[]", "bigint[]", False),
        ("integer[]", "bigint", False),
    ],
)
def test_castable_types(source: str, target: str, castable: bool) -> None:
    assert casts.is_castable(source, target) is castable


@pytest.mark.parametrize(
    ("value", "source", "target", "result"),
    [
        ("12", "bigint", "tinyint", "12"),
        ("300", "bigint", "tinyint", None),
        ("1.25", "double", "decimal(10,1)", "1.3"),
        ("1.25", "decimal(10,2)", "decimal(10,1)", None),
        ("0.1", "double", "float", "0.1"),
        ("2024-01-31", "date", "date", "2024-01-31"),
        ("10000-01-01", "date", "date", None),
        ("0000-12-31", "date", "date", None),
        ("24:00:00", "time", "time", None),
        ("9007199254740993.0", "varchar", "double", None),
        ("9007199254740992.0", "varchar", "double", "9007199254740992.0"),
        ("1.0000000000001e0", "varchar", "bigint", None),
        ("10e-1", "varchar", "bigint", "1"),
        ("1.12345678901", "varchar", "decimal(38,10)", None),
        ("1.1000000000001", "varchar", "decimal(10,2)", None),
        ("1.12345678900", "varchar", "decimal(38,10)", "1.1234567890"),
        ("1.5e-1", "varchar", "decimal(10,2)", "0.15"),
        ("1.5e-2", "varchar", "decimal(10,2)", None),
        ("1e-99999999999", "varchar", "decimal(10,2)", None),
        ("2024-01-31 12:00:00+15:59", "varchar", "timestamp with time zone", "2024-01-30 20:01:00+00"),
        ("2024-01-31 12:00:00+25:00", "varchar", "timestamp with time zone", None),
        ("2024-01-31 12:00:00+02:99", "varchar", "timestamp with time zone", None),
        (" 12 ", "varchar", "bigint", "12"),
        ("1.000", "varchar", "bigint", None),
        ("0.30", "varchar", "decimal(2,1)", "0.3"),
        ("0.31", "varchar", "decimal(2,1)", None),
    ],
)
def test_a_value_is_cast_exactly_or_stops_the_query(value: str, source: str, target: str, result: str | None) -> None:
    table = f"(select '{value}'::{source} as x)"
    condition = casts.fits("x", source, target)
    assert duckdb.sql(f"select {condition or 'true'} from {table}").fetchone() == (result is not None,)
    query = f"select ({casts.cast('x', source, target)})::varchar from {table}"
    if result is None:
        with pytest.raises(duckdb.Error):
            duckdb.sql(query).fetchone()
    else:
        assert duckdb.sql(query).fetchone() == (result,)


def test_a_null_stays_a_null() -> None:
    table = "(select null::varchar as x)"
    assert duckdb.sql(f"select {casts.cast('x', 'varchar', 'bigint')} from {table}").fetchone() == (None,)


def test_values_of_the_same_type_need_no_condition() -> None:
    assert casts.fits("x", "bigint", "bigint") == ""
    assert casts.cast("x", "bigint", "bigint") == "x"
