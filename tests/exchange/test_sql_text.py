import pytest

from kit.exchange.sql_text import error_without_literals, without_literals


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("select 'Jane', 12.5, 1e5, -3 from t", "select ?, ?, ?, -? from t"),
        ("select * from t where a in ('O''Hara', e'\\n', $$dollar$$, $tag$x$tag$)", "select * from t where a in (?, ?, ?, ?)"),
        ("select 0xFF, 1_000, x'ab'", "select ?, ?, x?"),
        ("select a -- Jane\n, b /* Joe */ from t", "select a\n, b from t"),
        ("select x::decimal(18, 2), cast(y as varchar(7)), substr(z, 1, 2)",
         "select x::decimal(18, 2), cast(y as varchar(7)), substr(z, ?, ?)"),
        ("select date '2024-01-01', interval 3 day, j->>'$.jane' from t", "select date ?, interval ? day, j->>? from t"),
        ("select {'jane': 1}, [1, 2], map {'joe': 2}", "select {?: ?}, [?, ?], map {?: ?}"),
        ('select "Full Name", "shop"."sales".x1 from "shop"."sales" limit 10',
         'select "Full Name", "shop"."sales".x1 from "shop"."sales" limit ?'),
        ("select a from t where a = true and b is null", "select a from t where a = true and b is null"),
        ("", ""),
    ],
)  # fmt: skip
def test_values_and_comments_are_left_out(sql: str, shown: str) -> None:
    assert without_literals(sql) == shown


@pytest.mark.parametrize("sql", ["select 'Jane", "select $$Jane", "select 1 /* Jane"])
def test_a_text_that_cannot_be_read_is_not_shown(sql: str) -> None:
    assert "Jane" not in (without_literals(sql) or "")


@pytest.mark.parametrize(
    ("message", "left"),
    [
        (
            "'shop': dbt failed: models/a.sql: Runtime Error Conversion Error: Could not convert string 'Jane' to INT32 "
            "LINE 2: where name = 'Jane' ^ ",
            "'shop': dbt failed: models/a.sql: Runtime Error Conversion Error: Could not convert string '?' to INT32 ",
        ),
        (
            "Binder Error: no column\nLINE 1: select 'it''s'\n               ^\nfailed  totals",
            "Binder Error: no column\nfailed  totals",
        ),
        ("Binder Error: no column\nLINE 1: select 'x'", "Binder Error: no column"),
        ("sales.csv: 'sale_id' is missing", "sales.csv: 'sale_id' is missing"),
    ],
)
def test_an_error_is_left_without_excerpts_and_values(message: str, left: str) -> None:
    assert error_without_literals(message) == left
