import pytest

from kit.contracts.rules import leaves_tables


@pytest.mark.parametrize(
    "query",
    [
        "call enable_logging(storage = 'file')",
        "pragma version",
        "attach 'x.db'",
        "select * from enable_logging(storage = 'file', storage_path = 'x')",
        "select 1 from ${table}, disable_logging()",
        "from force_checkpoint()",
        "from truncate_duckdb_logs ()",
        "from duckdb_settings()",
        'from "enable_logging"()',
        "from enable_logging --\n()",
        "select 1 as \"it's\" from enable_logging() where 'x' = 'x'",
        "select 1 -- it's\nfrom enable_logging() where 'x' = 'x'",
        "select $$'$$ from enable_logging() where 'x' = 'x'",
        "select e'\\'' from enable_logging() where 'x' = 'x'",
        "select 1; select 2",
        "from 'x.parquet'",
    ],
)
def test_a_query_that_does_more_than_ask_tables(query: str) -> None:
    assert str(leaves_tables(query)).startswith("must be one query of the tables: '")


@pytest.mark.parametrize(
    "query",
    [
        "select count(*) from ${table} where note = 'call enable_logging(); from ''x'''",
        "select 1 -- read_text('x');\nfrom ${table}",
        "select $tag$;$tag$ from ${table}",
        "select e'it\\'s; fine' from ${table}",
        "-- how many\nselect count(*) from ${table}",
    ],
)
def test_a_query_of_tables(query: str) -> None:
    assert leaves_tables(query) is None
