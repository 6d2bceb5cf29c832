from pathlib import Path

import pytest

from kit.lineage import sql as module
from kit.lineage.sql import SqlReader, SqlReferences, names_in, read_sql, sql_words
from kit.lineage.sql_columns import ColumnReferences

TABLES = {"shop.sales": ["sale_id", "item", "amount"], "raw.items": ["item", "color"]}
SALES = 'from "shop"."sales"'


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
        ("select * from other.main.x", "other.main.x"),
        ("select * from a union all select * from b", "a b"),
        ("pivot a on x using sum(y)", "a"),
        ("select count(*) from a where note = 'call enable_logging(); from ''x'''", "a"),
        ("select 1 -- read_text('x');\nfrom a", "a"),
        ("select $tag$;$tag$ from a", "a"),
        ("select e'it\\'s; fine' from a", "a"),
        ("-- how many\nselect count(*) from a", "a"),
        ('select "x.csv" from a', "a"),
    ],
)
def test_tables_of_a_query(sql: str, tables: str) -> None:
    references = read_sql(sql)
    assert (set(references.tables), references.faults, references.parsed) == (set(tables.split()), (), True)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("select * from read_parquet('x')", "takes rows from read_parquet()"),
        ("select * from read_csv('x')", "takes rows from read_csv()"),
        ("from read_csv_auto('x')", "takes rows from read_csv_auto()"),
        ("from glob('*')", "takes rows from glob()"),
        ("from sniff_csv('x')", "takes rows from sniff_csv()"),
        ("select * from duckdb_tables()", "takes rows from duckdb_tables()"),
        ("from duckdb_settings()", "takes rows from duckdb_settings()"),
        ("from pragma_version()", "takes rows from pragma_version()"),
        ("select * from query('select 1')", "takes rows from query()"),
        ("select * from query_table('a')", "takes rows from query_table()"),
        ("select * from sqlite_scan('a', 'b')", "takes rows from sqlite_scan()"),
        ("select 1 from a, disable_logging()", "takes rows from disable_logging()"),
        ("from force_checkpoint()", "takes rows from force_checkpoint()"),
        ("from truncate_duckdb_logs ()", "takes rows from truncate_duckdb_logs()"),
        ("from enable_logging(storage = 'file', storage_path = 'x')", "takes rows from enable_logging()"),
        ('from "enable_logging"()', "takes rows from enable_logging()"),
        ("from enable_logging --\n()", "takes rows from enable_logging()"),
        ("select 1 as \"it's\" from enable_logging() where 'x' = 'x'", "takes rows from enable_logging()"),
        ("select 1 -- it's\nfrom enable_logging() where 'x' = 'x'", "takes rows from enable_logging()"),
        ("select $$'$$ from enable_logging() where 'x' = 'x'", "takes rows from enable_logging()"),
        ("select e'\\'' from enable_logging() where 'x' = 'x'", "takes rows from enable_logging()"),
        ("select read_text('/etc/passwd')", "calls read_text()"),
        ("select getenv('HOME') from a", "calls getenv()"),
        ("select current_setting('threads')", "calls current_setting()"),
        ("select enable_profiling() from a", "calls enable_profiling()"),
        ("from 'x.parquet'", "reads the file 'x.parquet'"),
        ('from "x.csv"', "reads the file 'x.csv'"),
        ("select * from a join '../b/*.parquet' using (x)", "reads the file '../b/*.parquet'"),
        ("from 's3://bucket/x'", "reads the file 's3://bucket/x'"),
        ('from "raw.sales"', "reads the file 'raw.sales'"),  # one name with a dot is no table of the schema raw
        ("attach 'x.db' as y", "runs 'attach'"),
        ("copy (select 1) to 'x'", "runs 'copy'"),
        ("install httpfs", "runs 'install'"),
        ("load httpfs", "runs 'load'"),
        ("pragma version", "runs 'pragma'"),
        ("set threads = 1", "runs 'set'"),
        ("reset threads", "runs 'reset'"),
        ("use other", "runs 'use'"),
        ("call enable_logging(storage = 'file')", "runs 'call'"),
        ("create table x as select 1", "runs 'create'"),
        ("select 1; select 2", "is 2 statements"),
        ("", "is 0 statements"),
    ],
)
def test_faults_lead_out_of_the_tables(sql: str, fault: str) -> None:
    references = read_sql(sql)
    assert references.parsed
    assert [text.startswith(fault) for text in references.faults] == [True]


@pytest.mark.parametrize("sql", ["select 1 +", "export database 'x'", "select * from {{ this }}"])
def test_sql_that_cannot_be_parsed(sql: str) -> None:
    references = read_sql(sql, columns=TABLES)
    assert (references.tables, references.parsed, references.columns) == ((), False, None)
    assert references.faults[0].startswith("cannot be parsed in line 1: ")


def test_a_hook_may_change_tables() -> None:
    sql = "create view x as select * from a; delete from b where y"
    assert read_sql(sql, may_change=True) == SqlReferences(("x", "a", "b"), ())
    assert read_sql("attach 'a' as b; select 1", may_change=True).faults == (
        "runs 'attach', which is no query of tables; delete it",
    )


def test_columns_are_resolved_where_those_of_the_tables_are_given() -> None:
    sql = f"select upper(item) as name {SALES} where amount > 0"
    assert read_sql(sql).columns is None
    assert read_sql(sql, columns=TABLES) == SqlReferences(
        ("shop.sales",),
        (),
        columns=ColumnReferences(
            {"name": (("shop.sales", "item"),)},
            frozenset({("shop.sales", "item"), ("shop.sales", "amount")}),
            {"name": ("value",)},
        ),
    )
    assert read_sql("select * from nowhere", columns=TABLES).columns is None


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("select S.Item, 'amount' as x from shop.sales as s -- color", "s item x shop sales"),
        ("select item frm shop.sales", "select item frm shop sales"),
    ],
)
def test_names_in_a_text(sql: str, names: str) -> None:
    assert names_in(sql) >= set(names.split())
    assert not names_in(sql) & {"amount", "color"}


def test_a_reader_parses_a_text_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"select item {SALES}", "attach 'x'", "select 1 +"]

    def read_all() -> list[SqlReferences]:
        reader = SqlReader(tmp_path / "cache")
        references = [reader.read(sql, columns=TABLES) for sql in texts]
        reader.save()
        return references

    first = read_all()
    assert first == [read_sql(sql, columns=TABLES) for sql in texts]
    monkeypatch.setattr(module, "read_sql", None)
    assert read_all() == first
    with pytest.raises(TypeError):
        SqlReader(tmp_path / "cache").read(texts[0], columns={**TABLES, "shop.sales": ["item"]})


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "select x.am from shop.totals as x group  by a.",
            ["select", "x.am", "from", "shop.totals", "as", "x", "GROUP BY", "a"],
        ),
        ("select 'from a', 1 -- from b\nfrom /* c */ d", ["select", "from", "d"]),
        ('from "a b".c where f(x).y = $z', ["from", "a b.c", "where", "f", "x", "y", "z"]),
        ("select $t$ it's $t$ from b", ["select", "from", "b"]),
        ("from a where b = 'an open str", ["from", "a", "where", "b"]),
        ('from a where "an open na', ["from", "a", "where", "an open na"]),
        ("from a /* an open comment", ["from", "a"]),
        ("select $$ an open text", ["select"]),
        ("", []),
    ],
)
def test_words_of_a_text_that_may_be_unfinished(sql: str, words: list[str]) -> None:
    assert [str(word) for word in sql_words(sql)] == words
