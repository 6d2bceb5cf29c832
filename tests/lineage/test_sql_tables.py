import pytest

from kit.lineage.sql_tables import SqlReferences, reach


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select * from a join s.b using (x)", "a s.b"),
        ("with c as (select * from a) select * from c", "a"),
        ("with a as (select * from a) select * from a", "a"),
        ("with recursive r as (select 1 as x union all select x + 1 from r) select * from r", ""),
        ("with c as (select * from d), d as (select 1) select * from c", "d"),
        ("select * from (with c as (select 1) select * from c), c", "c"),
        ("select (select max(x) from b) as x from a where y in (select y from s.c)", "a b s.c"),
        ("select * from range(3), unnest([1, 2]), generate_series(1, 2)", ""),
        ("from 'x.parquet'", "x.parquet"),
        ("select * from other.main.x", "other.main.x"),
        ("select * from a union all select * from b", "a b"),
        ("pivot a on x using sum(y)", "a"),
    ],
)
def test_tables_a_query_names(sql: str, tables: str) -> None:
    found = reach(sql)
    assert (set(found.tables), found.faults) == (set(tables.split()), ())


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select * from read_parquet('x')", "takes rows from read_parquet()"),
        ("select * from read_csv('x')", "takes rows from read_csv()"),
        ("from glob('*')", "takes rows from glob()"),
        ("select * from duckdb_tables()", "takes rows from duckdb_tables()"),
        ("select * from query('select 1')", "takes rows from query()"),
        ("select * from sqlite_scan('a', 'b')", "takes rows from sqlite_scan()"),
        ("select read_text('/etc/passwd')", "calls read_text()"),
        ("select getenv('HOME') from a", "calls getenv()"),
        ("select current_setting('threads')", "calls current_setting()"),
        ("attach 'x.db' as y", "runs 'attach'"),
        ("copy (select 1) to 'x'", "runs 'copy'"),
        ("install httpfs", "runs 'install'"),
        ("load httpfs", "runs 'load'"),
        ("pragma version", "runs 'pragma'"),
        ("set threads = 1", "runs 'set'"),
        ("reset threads", "runs 'reset'"),
        ("use other", "runs 'use'"),
        ("call enable_logging(storage = 'file')", "runs 'call'"),
        ("from enable_logging(storage = 'file')", "takes rows from enable_logging()"),
        ("create table x as select 1", "runs 'create'"),
        ("select 1; select 2", "is 2 statements"),
        ("select 1 +", "cannot be understood in line 1"),
        ("export database 'x'", "cannot be understood in line 1"),
    ],
)
def test_what_leads_out_of_the_tables(sql: str, says: str) -> None:
    (fault,) = reach(sql).faults
    assert fault.startswith(says)


def test_a_hook_may_change_tables() -> None:
    assert reach("create view x as select * from a; delete from b where y", may_change=True) == SqlReferences(
        ("x", "a", "b"), ()
    )
    assert reach("attach 'a' as b; select 1", may_change=True).faults == (
        "runs 'attach', which is no query of tables; delete it",
    )
