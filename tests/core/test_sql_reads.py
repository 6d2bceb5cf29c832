import pytest

from kit.core import database
from kit.core.sql_reads import is_volatile, tables_read


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ('with a as (select * from "raw"."Sales") select * from a', {"a", "raw.sales"}),
        ('select * from "kit_work"."main"."x" join y using (id)', {"x", "y"}),
        ("select (select count(*) from shop.totals) - 1 where exists (select 1 from z)", {"shop.totals", "z"}),
        ("select 'from nothing' -- from nothing", set()),
        ("select * from query_table('x')", None),
        ("from query('from x')", None),
        ("pivot x on a using sum(b)", None),
        ("no query", None),
    ],
)
def test_tables_of_a_query(sql: str, tables: set[str] | None) -> None:
    assert tables_read(sql) == tables


@pytest.mark.parametrize(
    "sql", ["select now()", "select * from t where day < CURRENT_DATE", "from t using sample 3", "age (x)"]
)
def test_results_that_depend_on_the_time(sql: str) -> None:
    assert is_volatile(sql)


@pytest.mark.parametrize("sql", ["select now, age from random", "select sum(uuid) from today"])
def test_columns_of_such_names(sql: str) -> None:
    assert not is_volatile(sql)


def test_queries_are_parsed_by_one_database(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    original = database.opened
    monkeypatch.setattr(database, "opened", lambda *arguments, **options: opened.append(1) or original(*arguments, **options))
    for number in range(20):
        assert tables_read(f"from t{number} where {id(opened)} > 0") == {f"t{number}"}
    assert len(opened) <= 1
