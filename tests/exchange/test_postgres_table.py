"""What a table of PostgreSQL has of a port, and what of one PostgreSQL cannot hold, on a real server."""

import pytest

from kit.core.errors import KitError
from kit.exchange.postgres import push
from kit.exchange.postgres_table import _same, _type
from tests.support.postgres import PostgresServer
from tests.support.published import publish_tables
from tests.support.small_mesh import SmallMesh

heavy = pytest.mark.heavy


@pytest.fixture
def served(small: SmallMesh, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:
    postgres.sql("drop schema if exists one cascade", "drop schema if exists two cascade", "drop schema if exists kit cascade")
    monkeypatch.setenv("BI_DSN", postgres.dsn)
    return postgres


def pushed(small: SmallMesh) -> list[str]:
    return list(push(small.config, "BI_DSN"))


def test_types_of_arrays() -> None:
    assert (_type("decimal(6,2)[][]"), _type("ubigint[]"), _type("double[]")) == (
        "numeric(6,2)[][]", "numeric(20,0)[]", "double precision[]",
    )  # fmt: skip
    assert _same("timestamp without time zone[]", _type("timestamp[]"))


VALUES = {
    "boolean": ["true"], "tinyint": ["(-128)"], "utinyint": ["255"], "usmallint": ["65535"], "uinteger": ["4294967295"],
    "ubigint": ["18446744073709551615"], "float": ["'nan'", "'inf'"], "double": ["'nan'", "'-inf'", "1e308"],
    "decimal(38,10)": ["'-1234567890123456789012345678.0123456789'"], "decimal(4,2)": ["-0.01"],
    "date": ["'infinity'", "'-infinity'", "'0001-01-01'"], "time": ["'23:59:59.999999'"],
    "timestamp": ["'infinity'", "'2024-02-29 10:00:00.123456'"],
    "timestamp with time zone": ["'2024-02-29 10:00:00.123456+02'", "'-infinity'"], "varchar": ["'é😀'", "''"],
    "blob": ["'\\x00\\xFF'::blob"], "uuid": ["'00000000-0000-0000-0000-00000000000a'"], "json": ["'{\"a\":\"\\u0000\"}'"],
    "integer[]": ["[1, null]", "[]"], "integer[][]": ["[[1, 2], [3, 4]]"], "decimal(6,2)[]": ["[1.25]"],
    "varchar[]": ["['a,b', null]"], "timestamp with time zone[]": ["['2024-01-01 00:00:00+00']"],
}  # fmt: skip
EXPECTED = {
    "boolean": ["true"], "tinyint": ["-128"], "utinyint": ["255"], "usmallint": ["65535"], "uinteger": ["4294967295"],
    "ubigint": ["18446744073709551615"], "float": ["NaN", "Infinity"], "double": ["NaN", "-Infinity", "1e+308"],
    "decimal(38,10)": ["-1234567890123456789012345678.0123456789"], "decimal(4,2)": ["-0.01"],
    "date": ["infinity", "-infinity", "0001-01-01"], "time": ["23:59:59.999999"],
    "timestamp": ["infinity", "2024-02-29 10:00:00.123456"],
    "timestamp with time zone": ["2024-02-29 08:00:00.123456+00", "-infinity"], "varchar": ["é😀", ""],
    "blob": ["\\x00ff"], "uuid": ["00000000-0000-0000-0000-00000000000a"], "json": ['{"a":"\\u0000"}'],
    "integer[]": ["{1,NULL}", "{}"], "integer[][]": ["{{1,2},{3,4}}"], "decimal(6,2)[]": ["{1.25}"],
    "varchar[]": ['{"a,b",NULL}'], "timestamp with time zone[]": ['{"2024-01-01 00:00:00+00"}'],
}  # fmt: skip


@heavy
def test_every_value_is_the_same_and_a_second_push_changes_no_table(small: SmallMesh, served: PostgresServer) -> None:
    def publish() -> None:
        tables = {}
        for number, (kind, values) in enumerate(VALUES.items()):
            tables[f"t{number}"] = " union all ".join(
                f"select {place} as place, {value}::{kind} as v" for place, value in enumerate([*values, "null"])
            )
        publish_tables(small.store, "one", tables)

    publish()
    pushed(small)
    for number, (kind, texts) in enumerate(EXPECTED.items()):
        rows = served.sql(f"set timezone = 'UTC'; select coalesce(v::text, 'null') from one.t{number} order by place")
        assert rows == "\n".join([*texts, "null"]).strip(), kind
        served.sql(f"create view one.v{number} as select v from one.t{number}")
    served.sql("update kit.snapshots set content = 'other'")
    assert len(pushed(small)) == len(VALUES)


@heavy
def test_an_empty_table_and_one_of_several_files(small: SmallMesh, served: PostgresServer) -> None:
    publish_tables(small.store, "one", {"empty": "select 1 as a where false", "parts": ["select 1 as a", "select 2 as a"]})
    pushed(small)
    assert served.sql("select count(*) from one.empty") == "0"
    assert served.sql("select a from one.parts order by 1") == "1\n2"


@heavy
def test_masked_columns_are_there_and_personal_ones_are_not(small: SmallMesh, served: PostgresServer) -> None:
    mask = {"customProperties": [{"property": "mask", "value": "inherited"}]}
    publish_tables(
        small.store, "one", {"people": "select 1 as id, 'a1b2' as name, 'x@example.com' as mail"},
        properties={
            "people.name": {"classification": "personal", **mask}, "people.mail": {"classification": "personal"},
        },
    )  # fmt: skip
    pushed(small)
    columns = "select string_agg(attname, ' ' order by attnum) from pg_attribute where attnum > 0 and attrelid = "
    assert served.sql(f"{columns}'one.people'::regclass") == "id name"


@heavy
@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (
            "select 1 as id, 'a' as sound, 'b' || chr(0) as note, ['c' || chr(0)] as notes",
            "one.bad: the character NUL, which PostgreSQL cannot hold, is in 'note', 'notes'; take it out in the model",
        ),
        ("select [[1], [3, 4]] as a", "one.bad: Postgres multidimensional arrays must all have matching dimensions"),
        ("select '4800-01-01 (BC)'::timestamp as at", "one.bad: the column 'at': timestamp out of range"),
        (f"select 1 as {'a' * 63}", ""),
    ],
)
def test_what_postgresql_cannot_hold_is_named_and_other_products_are_pushed(
    small: SmallMesh, served: PostgresServer, query: str, problem: str
) -> None:
    publish_tables(small.store, "one", {"bad": "select 1 as id", "good": "select 1 as id"})
    publish_tables(small.store, "two", {"good": "select 1 as id"})
    pushed(small)
    publish_tables(small.store, "one", {"bad": query, "good": "select 2 as id"})
    version = publish_tables(small.store, "two", {"good": "select 2 as id"})
    lines = push(small.config, "BI_DSN")
    if problem:
        assert next(lines) == f"two.good: {version}"
        with pytest.raises(KitError) as error:
            next(lines)
        assert str(error.value).startswith(f"PostgreSQL at BI_DSN: {problem}")
    else:
        list(lines)
    assert served.sql("select id from two.good") == "2"
    assert served.sql("select id from one.good") == ("1" if problem else "2")


@heavy
def test_a_name_that_the_server_would_cut_off_is_refused(small: SmallMesh, served: PostgresServer) -> None:
    name = f"{'a' * 60}__quarantine"
    publish_tables(small.store, "one", {name: "select 1 as id"})
    (small.store.current("one").folder / f"contracts/{name}.odcs.yaml").unlink()  # type: ignore[union-attr]
    with pytest.raises(KitError) as error:
        pushed(small)
    assert str(error.value) == (
        f"PostgreSQL at BI_DSN: one.{name}: '{name}' is longer than the 63 bytes of a name in PostgreSQL; give it a shorter one"
    )


@heavy
def test_a_changed_column_stays_where_something_depends_on_it(small: SmallMesh, served: PostgresServer) -> None:
    publish_tables(small.store, "one", {"sales": "select 1 as id, 1.5::decimal(4,2) as amount, 'a' as note"})
    pushed(small)
    served.sql("create view public.ids as select id from one.sales")
    publish_tables(small.store, "one", {"sales": "select 2 as id, '1.5' as amount"})
    assert len(pushed(small)) == 1
    assert served.sql("select id from public.ids") == "2"
    kinds = (
        "select string_agg(format_type(atttypid, atttypmod), ' ') from pg_attribute where attrelid = 'one.sales'::regclass and "
    )
    assert served.sql(kinds + "attnum > 0 and not attisdropped") == "integer text"
    served.sql("create materialized view public.amounts as select amount from one.sales")
    version = publish_tables(small.store, "one", {"sales": "select 3 as id, 1.5 as amount"})
    with pytest.raises(KitError) as error:
        pushed(small)
    assert str(error.value) == (
        "PostgreSQL at BI_DSN: one.sales: the column 'amount' is now numeric(2,1), was text, and materialized view "
        "amounts depends on it; the table keeps its rows until that is dropped"
    )
    assert served.sql("select id from one.sales") == "2"
    served.sql("drop materialized view public.amounts")
    assert pushed(small) == [f"one.sales: {version}"]
    assert served.sql("select id from public.ids") == "3"
    served.sql("drop view public.ids")


@heavy
def test_roles_follow_the_contract_also_when_nothing_else_has_changed(small: SmallMesh, served: PostgresServer) -> None:
    def may(role: str) -> str:
        return served.sql(f"select has_table_privilege('{role}', 'one.sales', 'select')")

    served.sql(
        *(f"drop role if exists {role}" for role in ("analyst", "guest", "late")), "create role analyst", "create role guest"
    )
    rows = {"sales": "select 1 as id"}
    publish_tables(small.store, "one", rows, roles={"sales": ["analyst", "late"]})
    assert pushed(small)[1:] == ["one.sales: the database has no role late, which its contract names"]
    served.sql("grant select on one.sales to guest", "create role late")
    assert pushed(small) == []
    assert (may("analyst"), may("late"), may("guest")) == ("t", "t", "t")
    content = served.sql("select content from kit.snapshots")
    publish_tables(small.store, "one", rows, roles={"sales": ["late"]})
    assert pushed(small)[-1] == "one.sales: the role analyst may select no more"
    assert served.sql("select content from kit.snapshots") == content
    assert (may("analyst"), may("late"), may("guest")) == ("f", "t", "t")
    assert pushed(small) == []
    served.sql("drop schema one cascade", *(f"drop role {role}" for role in ("analyst", "guest", "late")))
