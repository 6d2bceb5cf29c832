"""The connector `postgres` on a real server; what needs none is first."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kit.core.errors import IngestError
from kit.ingest import postgres
from kit.ingest.connector import Origin, State
from kit.ingest.postgres import Postgres, _tables_of
from kit.sync.sync import sync
from tests.support.contracts import contract
from tests.support.files import write
from tests.support.limits import HANG
from tests.support.postgres import PASSWORD, PostgresServer
from tests.support.products import descriptor, write_dbt_project
from tests.support.small_mesh import SmallMesh

heavy = pytest.mark.heavy


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"dsn_env": "postgres://me:secret@host/db", "table": "a"}, r"is the name of an environment variable with the address"),
        ({"dsn_env": "SHOP_DSN"}, "reads a table or a query; give one of"),
        ({"dsn_env": "SHOP_DSN", "table": "a", "query": "select 1"}, "reads a table or a query; give one of"),
    ],
)
def test_wrong_arguments_are_refused_without_the_address(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(IngestError, match=problem) as caught:
        Postgres(**arguments)
    assert "secret" not in str(caught.value)


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_DSN", raising=False)
    with pytest.raises(
        IngestError, match="the environment variable SHOP_DSN is not set; set it to the address of the database"
    ):
        Postgres(dsn_env="SHOP_DSN", table="a").check()


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:hid?den@127.0.0.1:1/x",
        "postgresql://me:hid%20den@127.0.0.1:1/x",
        "host=127.0.0.1 port=1 password='hid den' dbname=x",
    ],
)
def test_a_server_that_is_not_there_may_come_back(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    monkeypatch.setenv("SHOP_DSN", dsn)
    with pytest.raises(IngestError) as caught:
        Postgres(dsn_env="SHOP_DSN", table="a").check()
    assert str(caught.value) == 'connection to server at "127.0.0.1", port 1 failed: Connection refused'
    assert caught.value.passing == "the network failed"


@pytest.mark.parametrize("dsn", ["postgresql://me:hid@den%'x y@127.0.0.1/x", "host=127.0.0.1 password=hid den9 dbname=x"])
def test_an_address_that_libpq_reads_in_another_way_is_refused_without_its_parts(
    monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    monkeypatch.setenv("SHOP_DSN", dsn)
    with pytest.raises(IngestError, match=r"^the address in SHOP_DSN is no (URL|string) that libpq reads; write ") as caught:
        Postgres(dsn_env="SHOP_DSN", table="a").check()
    assert not [part for part in ("hid", "den", "127") if part in str(caught.value)]
    with pytest.raises(IngestError, match=r"^the address is no URL that libpq reads; "):
        Postgres.declare("//me:hid%[@den/x?table=a", "a", Path())


def test_the_state_belongs_to_host_and_database_and_not_to_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(dsn: str) -> str:
        monkeypatch.setenv("SHOP_DSN", dsn)
        return Postgres(dsn_env="SHOP_DSN", table="a").digest()

    assert digest("postgres://me:a@host/db") == digest("postgres://you:b@host/db?sslmode=require")
    assert digest("postgres://host/db") != digest("postgres://host/other")
    assert digest("host=a dbname=b password=c") == digest("dbname=b host=a password=d") != digest("host=a dbname=c")


def test_an_address_is_declared_by_the_name_of_a_variable() -> None:
    made = Postgres.declare("//me:p%40ss@db.example.com:6432/web-shop?sslmode=require&table=sales.orders", "orders", Path())
    assert made.arguments == {"dsn_env": "WEB_SHOP_DSN", "table": "sales.orders"}
    assert made.variables == {"WEB_SHOP_DSN": "postgresql://me:p%40ss@db.example.com:6432/web-shop?sslmode=require"}
    assert Postgres.declare("postgres://me:a?b#[c@db/shop?table=a", "a", Path()).variables == {
        "SHOP_DSN": "postgresql://me:a?b#[c@db/shop"
    }
    assert Postgres.declare("//db/shop", "orders", Path()).arguments["table"] == "orders"


def test_an_address_in_a_variable_is_in_no_command() -> None:
    made = Postgres.declare("SHOP_DSN?table=sales.orders", "orders", Path())
    assert (made.arguments, made.stream, made.variables) == (
        {"dsn_env": "SHOP_DSN", "table": "sales.orders"}, "sales.orders", {},
    )  # fmt: skip
    assert Postgres.declare("SHOP_DSN", "orders", Path()).arguments == {"dsn_env": "SHOP_DSN", "table": "orders"}


TABLE = """
create type mood as enum ('sad', 'happy');
create domain price as numeric(8,3);
create type pair as (a int, b text);
create table everything (
    id int primary key, n numeric, d numeric(10,2), dom price, u uuid, j json, b jsonb, by bytea, m money, i interval,
    e mood, ints int[], texts text[], decimals numeric(6,2)[], moods mood[], many jsonb[], p pair, ip inet,
    day date, moment timestamp, zoned timestamptz, t time, tz timetz, ch char(4), f float8, bytes bytea[]
);
insert into everything values (
    1, 12345678901234567890.123456789, 1.10, 2.125, '00000000-0000-0000-0000-00000000000a', '{"a": 1, "a": 2}',
    '{"b":[1, null]}',
    '\\x00ff', '12.34', '1 month 2 days 03:04:05.5', 'happy', '{1,null}', '{a,"b,c"}', '{1.25,2}', '{sad}', '{"{\\"x\\":1}"}',
    '(1,x)', '10.0.0.1', '2024-02-29', '2024-02-29 10:00:00.123456', '2024-02-29 10:00:00.123456+02', '10:00:01', '10:00+02',
    'ab', 'NaN', array['\\x00ff', null]::bytea[]
);
"""
EXPECTED = {
    "id": ("integer", "1"), "n": ("decimal(38,9)", "12345678901234567890.123456789"), "d": ("decimal(10,2)", "1.10"),
    "dom": ("decimal(8,3)", "2.125"), "u": ("uuid", "00000000-0000-0000-0000-00000000000a"),
    "j": ("json", '{"a": 1, "a": 2}'), "b": ("json", '{"b": [1, null]}'), "by": ("blob", "\\x00\\xFF"),
    "m": ("decimal(19,2)", "12.34"), "i": ("varchar", "P1M2DT3H4M5.5S"), "e": ("varchar", "happy"),
    "ints": ("integer[]", "[1, NULL]"), "texts": ("varchar[]", "[a, 'b,c']"), "decimals": ("decimal(6,2)[]", "[1.25, 2.00]"),
    "moods": ("varchar[]", "[sad]"), "many": ("json", '[{"x": 1}]'), "p": ("json", '{"a":1,"b":"x"}'),
    "ip": ("varchar", "10.0.0.1/32"), "day": ("date", "2024-02-29"), "moment": ("timestamp", "2024-02-29 10:00:00.123456"),
    "zoned": ("timestamp with time zone", "2024-02-29 08:00:00.123456+00"), "t": ("time", "10:00:01"),
    "tz": ("varchar", "10:00:00+02"), "ch": ("varchar", "ab"), "f": ("double", "nan"),
    "bytes": ("json", '["\\\\x00ff",null]'),
}  # fmt: skip


@pytest.fixture
def server(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:
    monkeypatch.setenv("SHOP_DSN", postgres.dsn)
    postgres.sql("drop schema public cascade", "create schema public")
    return postgres


def rows(source: Postgres, state: dict[str, Any] | None = None) -> tuple[list[tuple[Any, ...]], dict[str, Any] | None]:
    found, last = [], None
    for part in source.read(state):
        if isinstance(part, State):
            last = dict(part.value)
        else:
            with duckdb.connect() as connection:
                connection.execute("set timezone = 'UTC'")
                found += connection.execute(f"select columns(*)::varchar from '{part}'").fetchall()
    return found, last


def table(**more: Any) -> Postgres:
    return Postgres(dsn_env="SHOP_DSN", **{"table": "orders", **more})


def test_the_tables_that_a_query_reads() -> None:
    query = 'with t as (select * from sales.orders) select * from t join "Odd Name" using (id) join sales.orders o using (id)'
    assert _tables_of(query) == ['"Odd Name"', "sales.orders"]
    assert _tables_of("no sql (") == []


@heavy
def test_every_type_is_read_exactly(server: PostgresServer) -> None:
    server.sql(TABLE)
    for query in ("select * from everything;", "select * from everything -- all of it"):
        assert table(table=None, query=query).describe().types == {name: kind for name, (kind, _) in EXPECTED.items()}
    for source in (table(table="everything"), table(table=None, query="select * from everything;")):
        assert source.describe().types == {name: kind for name, (kind, _) in EXPECTED.items()}
        assert rows(source) == ([tuple(text for _, text in EXPECTED.values())], None)


@heavy
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("'NaN'::numeric(10,2)", "NaN"),
        ("'{1,NaN}'::numeric(10,2)[]", "an array of several dimensions, or NaN"),
        ("'{{1,2},{3,4}}'::int[]", "an array of several dimensions"),
        ("'{24:00}'::time[]", "an array of several dimensions, or a time of 24 hours"),
        ("'{infinity}'::date[]", "an array of several dimensions, or a moment before the year 1 or after 9999"),
        ("'{-infinity}'::timestamptz[]", "an array of several dimensions, or a moment before the year 1 or after 9999"),
    ],
)
def test_what_no_column_holds_is_refused_by_column(server: PostgresServer, value: str, problem: str) -> None:
    server.sql(f"create table orders as select 1 as id, {value} as v")
    for source in (table(), table(table=None, query="select * from orders")):
        with pytest.raises(IngestError) as caught:
            rows(source)
        assert str(caught.value) == f"'v' holds {problem}; correct it there, or read the column as text: as_text=['v']"
    assert len(rows(table(as_text=["v"]))[0]) == 1


@heavy
def test_the_catalog_gives_key_descriptions_and_cursors(server: PostgresServer) -> None:
    server.sql(
        "create table orders (shop text, note text, made_at timestamp, number int, updated_at timestamptz not null, "
        "primary key (number, shop))",
        "comment on table orders is 'One row per order.'",
        "comment on column orders.note is 'What the customer wrote.'",
        "create view recent as select number from orders",
        "create table hidden (a int)",
    )
    stream = table().describe()
    assert (stream.name, stream.key, stream.description) == ("orders", ("number", "shop"), "One row per order.")
    assert stream.cursors == ("updated_at", "made_at", "number")
    assert [(column.name, column.required) for column in stream.columns if column.required] == [
        ("shop", True), ("number", True), ("updated_at", True),
    ]  # fmt: skip
    assert stream.columns[1].description == "What the customer wrote."
    namespace = f"postgres://127.0.0.1:{server.port}"
    assert stream.origins == (Origin(namespace, "shop.public.orders", stream.types),)
    query = table(table=None, query="with recent as (select 1) select o.shop from orders o, public.recent, recent r, nothing()")
    server.sql("create function nothing() returns int language sql as 'select 1'")
    assert query.describe().origins == tuple(Origin(namespace, f"shop.public.{name}") for name in ("orders", "recent"))
    assert [item.name for item in table().discover()] == ["public.hidden", "public.orders", "public.recent"]
    assert next(item.name for item in table(table=None, query="select 1 as a").discover()) == "query"


@heavy
def test_increments_start_at_the_greatest_cursor_and_take_the_boundary_again(server: PostgresServer) -> None:
    server.sql("create table orders (id int primary key, at timestamptz)")
    server.sql("insert into orders values (1, '2024-01-01'), (2, '2024-01-02'), (3, null), (4, 'infinity')")
    found, state = rows(table(cursor="at"))
    assert (len(found), state) == (4, {"cursor": "2024-01-02 00:00:00+00"})
    server.sql("insert into orders values (5, '2024-01-01 23:59:59'), (6, '2024-01-03')")
    found, newer = rows(table(cursor="at"), state)
    assert sorted(int(number) for number, _ in found) == [2, 3, 4, 6]
    assert newer == {"cursor": "2024-01-03 00:00:00+00"}
    late, _ = rows(table(cursor="at", lookback=timedelta(seconds=1)), state)
    assert sorted(int(number) for number, _ in late) == [2, 3, 4, 5, 6]
    server.sql("delete from orders")
    assert rows(table(cursor="at"), newer) == ([], newer)


@heavy
def test_a_number_may_be_the_cursor(server: PostgresServer) -> None:
    server.sql("create table orders (id bigint primary key, price numeric(10,2))")
    server.sql("insert into orders select n, n from generate_series(1, 5) n")
    assert rows(table(cursor="id"))[1] == {"cursor": "5"}
    assert [number for number, _ in rows(table(cursor="id", lookback=1), {"cursor": "5"})[0]] == ["4", "5"]
    assert [number for number, _ in rows(table(cursor="price"), {"cursor": "4.50"})[0]] == ["5"]
    with pytest.raises(IngestError, match=r"the lookback of the cursor 'id' is datetime.timedelta.*; give a number"):
        rows(table(cursor="id", lookback=timedelta(1)), {"cursor": "5"})


@heavy
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"table": "nope"}, "there is no table nope; there are: public.orders"),
        ({"cursor": "changed"}, "there is no column 'changed', the cursor; there are: id, name"),
        ({"cursor": "name"}, "the cursor 'name' is varchar; choose a number, a date or a timestamp that grows with changes"),
        ({"as_text": ["x"]}, "there is no column 'x', which as_text names; there are: id, name"),
        ({"table": None, "query": "select nope from orders"}, 'column "nope" does not exist'),
        ({"table": None, "query": "select 1 / id as a from orders"}, "division by zero"),
        ({"table": None, "query": 'select 1 as "Id", 2 as id'},
         "two columns are named 'id', in capitals or not; name one otherwise in query='select … as …'"),
        ({"table": None, "query": "select pg_sleep(20)::text as a", "timeout_seconds": 1},
         "canceling statement due to statement timeout"),
    ],
)  # fmt: skip
def test_errors_of_the_server_are_one_sentence(server: PostgresServer, arguments: dict[str, Any], problem: str) -> None:
    server.sql("create table orders (id int, name text)", "insert into orders values (0, 'a')")
    with pytest.raises(IngestError) as caught:
        rows(table(**arguments))
    assert str(caught.value) == problem


@heavy
def test_one_read_sees_one_snapshot_and_writes_nothing(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_LOOK_SECONDS", 0.001)  # it looks often, and finds files that it has yielded before
    server.sql("create table orders (id int)", "insert into orders select n from generate_series(1, 1200000) n")
    parts = table().read(None)
    first = next(parts)
    server.sql("insert into orders select n from generate_series(1, 1000) n")
    found = [first, *(part for part in parts if not isinstance(part, State))]
    assert len(found) > 1
    with duckdb.connect() as connection:
        counts = connection.execute(f"select count(*) from read_parquet({[str(part) for part in found]})").fetchall()
    assert counts == [(1_200_000,)]
    server.sql("create function bump() returns int language sql as 'insert into orders values (1) returning id'")
    with pytest.raises(IngestError, match="cannot execute INSERT in a read-only transaction"):
        rows(table(table=None, query="select bump() as a"))


@heavy
def test_the_options_of_the_address_count(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.sql("create table orders (id int)")
    for option in ("sslmode=require", "sslmode=verify-full&sslrootcert=/nowhere/ca.pem"):
        monkeypatch.setenv("SHOP_DSN", f"{server.dsn}?{option}")
        with pytest.raises(IngestError, match="the server has no TLS, which sslmode="):
            table().check()
    monkeypatch.setenv("SHOP_DSN", f"host=127.0.0.1 port={server.port} user=kit dbname=shop password='{PASSWORD}'")
    table().check()
    monkeypatch.setenv("SHOP_DSN", server.dsn.replace("1%25", "2"))
    with pytest.raises(IngestError) as caught:
        table().check()
    assert str(caught.value).endswith('password authentication failed for user "kit"')
    assert caught.value.passing == ""


COLUMNS = [("id", "integer", {"primaryKey": True}), ("name", "varchar", {}), ("updated_at", "timestamp", {"required": True})]


@pytest.fixture
def mesh(small: SmallMesh, server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallMesh]:
    """A mesh whose product `web` publishes the table `orders`."""
    monkeypatch.chdir(small.root)
    folder = small.domains / "web"
    write(folder / "product.odps.yaml", descriptor("web", inputs=["raw.orders"], outputs={"orders": "dbt"}))
    write(folder / "sources/orders.odcs.yaml", contract("web.raw.orders", "orders", COLUMNS))
    write(folder / "contracts/orders.odcs.yaml", contract("web.orders", "orders", COLUMNS))
    write_dbt_project(folder)
    write(folder / "models/sources.yml", "sources: [{name: raw, tables: [{name: orders}]}]\n")
    write(folder / "models/orders.sql", "select * from {{ source('raw', 'orders') }} order by id\n")
    write(
        folder / "ingest.py",
        "from kit.ingest.connectors import postgres\n\n\ndef orders():\n"
        "    return postgres(dsn_env='SHOP_DSN', table='orders', cursor='updated_at')\n",
    )
    server.sql("create table orders (id int primary key, name text, updated_at timestamp not null)")
    server.sql("insert into orders values (1, 'a', '2024-01-01'), (2, 'b', '2024-01-02')")
    yield small


def published(small: SmallMesh) -> list[tuple[Any, ...]]:
    import polars as pl

    return pl.read_parquet(small.store.current("web").files("orders")).select("id", "name").rows()


@heavy
def test_a_product_is_built_from_increments_in_the_confined_process(mesh: SmallMesh, server: PostgresServer) -> None:
    assert mesh.build("web").status == "published"
    assert published(mesh) == [(1, "a"), (2, "b")]
    assert mesh.build("web").status == "up to date"
    server.sql(
        "update orders set name = 'B', updated_at = '2024-01-03' where id = 2",
        "insert into orders values (3, 'c', '2024-01-03')",
    )
    assert mesh.build("web").status == "published"
    assert published(mesh) == [(1, "a"), (2, "B"), (3, "c")]
    source = mesh.store.current("web").manifest["sources"]["orders"]
    assert (source["kind"], source["increment"]["state"]) == ("postgres", {"cursor": "2024-01-03 00:00:00"})
    incremental = source["digest"]
    assert mesh.build("web", full_refresh=True).status == "up to date"
    server.sql("delete from orders where id = 1")
    assert mesh.build("web").status == "up to date"
    assert mesh.build("web", full_refresh=True).status == "published"
    assert published(mesh) == [(2, "B"), (3, "c")]
    assert mesh.store.current("web").manifest["sources"]["orders"]["digest"] != incremental


@heavy
@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("alter table orders add column phone text", "'phone' (varchar) is not in the contract"),
        ("alter table orders drop column name", "'name' is missing"),
        (
            "alter table orders alter column name type int using 1",
            "'name' is integer, was varchar, and the contract says varchar",
        ),
    ],
)
def test_a_changed_table_is_a_difference_of_the_contract(
    mesh: SmallMesh, server: PostgresServer, change: str, difference: str
) -> None:
    mesh.build("web")
    version = mesh.store.current("web").version
    server.sql(change)
    outcome = mesh.build("web")
    assert outcome.message == (
        f"web.raw.orders: its columns are not those of the contract, and nothing was read: {difference}; correct "
        "domains/web/sources/orders.odcs.yaml (`kit contract draft web.raw.orders --write` adds new columns)"
    )
    assert mesh.store.current("web").version == version


@heavy
def test_no_output_record_or_file_contains_the_password(mesh: SmallMesh, server: PostgresServer) -> None:
    sync(mesh.context)
    wrong = server.dsn.replace("shop", "nodb")
    done = mesh.kit("run", "web", SHOP_DSN=wrong)
    assert 'database "nodb" does not exist' in done.stdout + done.stderr
    done = mesh.kit("run", "web")
    assert done.returncode == 0, done.stdout + done.stderr
    secrets = [PASSWORD, server.dsn.partition("kit:")[2].partition("@")[0]]
    texts = [done.stdout, done.stderr]
    texts += [path.read_bytes().decode("latin-1") for path in mesh.root.rglob("*") if path.is_file()]
    assert [secret for secret in secrets for text in texts if secret in text] == []


@heavy
def test_a_server_that_restarts_is_asked_again(
    mesh: SmallMesh, server: PostgresServer, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"  # of this test alone: others run beside it
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    server.stop()
    shown: list[str] = []

    def start_after_the_first_attempt() -> None:
        until = time.monotonic() + HANG
        while "tried again" not in "".join(shown) and time.monotonic() < until:
            shown.append(capfd.readouterr().err)
            time.sleep(0.1)
        server.start()

    started = threading.Thread(target=start_after_the_first_attempt)
    started.start()
    try:
        outcome = mesh.build("web")
    finally:
        started.join()
    assert outcome.status == "published", outcome.message
    assert "web.raw.orders (postgres orders): tried again in 1 s, because the network failed" in "".join(shown)
    assert not [path for path in temporary.glob("kit-*/orders") if path.is_dir()]
