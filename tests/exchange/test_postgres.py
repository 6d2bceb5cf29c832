import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.exchange.postgres import push
from tests.support.files import write
from tests.support.limits import HANG
from tests.support.postgres import PostgresServer, postgres  # noqa: F401  a fixture
from tests.support.published import publish_tables
from tests.support.small_mesh import SALES, SmallMesh

pytestmark = pytest.mark.heavy


@pytest.fixture
def served(small: SmallMesh, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:  # noqa: F811
    postgres.sql(*(f"drop schema if exists {name} cascade" for name in ("shop", "plan", "gone", "kit")))
    monkeypatch.setenv("BI_DSN", postgres.dsn)
    return postgres


def pushed(small: SmallMesh, *ports: str) -> list[str]:
    return list(push(small.config, "BI_DSN", ports))


def test_types_comments_keys_and_rows_are_those_of_the_contract(small: SmallMesh, served: PostgresServer) -> None:
    served.sql("drop role if exists analyst", "create role analyst")
    contract = small.domains / "shop/contracts/totals.odcs.yaml"
    data = json.loads(contract.read_text())
    data["roles"] = [{"role": "analyst", "access": "read"}, {"role": "absent", "access": "read"}]
    contract.write_text(json.dumps(data))
    version = small.publish("shop")
    assert pushed(small) == [
        f"shop.sales: {version}", f"shop.totals: {version}",
        "shop.totals: the database has no role absent, which its contract names",
    ]  # fmt: skip
    assert served.sql("select item, amount from shop.totals order by 1") == "cake|170.00\ntea|310.00"
    columns = (
        "select attname, format_type(atttypid, atttypmod), attnotnull, col_description(attrelid, attnum) "
        "from pg_attribute where attrelid = 'shop.sales'::regclass and attnum > 0 order by attnum"
    )
    assert served.sql(columns).splitlines() == [
        "sale_id|bigint|t|the sale_id", "item|text|t|the item", "amount|numeric(10,2)|t|the amount",
        "sold_on|date|t|the sold_on",
    ]  # fmt: skip
    constraints = (
        "select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'shop.sales'::regclass and contype = 'p'"
    )
    assert served.sql(constraints) == "PRIMARY KEY (sale_id)"
    assert served.sql("select has_table_privilege('analyst', 'shop.totals', 'select')") == "t"
    assert served.sql("select has_table_privilege('analyst', 'shop.sales', 'select')") == "f"


def test_only_what_changed_is_replaced_and_views_stay(small: SmallMesh, served: PostgresServer) -> None:
    small.publish("shop")
    pushed(small)
    served.sql("create view public.mine as select sum(amount) as total from shop.sales")
    assert small.kit("serve", "postgres", "--to", "BI_DSN").stdout == ""
    small.feed_rows(SALES[:-1])
    small.publish("shop")
    assert small.kit("serve", "postgres", "--to", "BI_DSN", "shop.sales").stdout.startswith("shop.sales: ")
    assert served.sql("select total from public.mine") == "449.50"
    assert served.sql("select sum(amount) from shop.totals") == "480.00"
    served.sql("drop view public.mine")


def test_each_publication_is_pushed_when_it_is_configured(small: SmallMesh, served: PostgresServer) -> None:
    small.replace("pyproject.toml", "[tool.kit]\n", '[tool.kit]\npostgres_dsn_env = "BI_DSN"\n')
    assert small.build("shop").message == ""
    assert served.sql("select count(*) from shop.sales") == "30"
    served.stop()
    try:
        outcome = small.build("shop", force=True)
    finally:
        served.start()
    assert outcome.status == "published"
    assert outcome.message.startswith("postgres: PostgreSQL at BI_DSN: ")
    assert "s3cret" not in outcome.message


def test_personal_columns_are_left_out(small: SmallMesh, served: PostgresServer) -> None:
    contract = small.domains / "shop/contracts/sales.odcs.yaml"
    data = json.loads(contract.read_text())
    data["schema"][0]["properties"][1]["classification"] = "personal"
    contract.write_text(json.dumps(data))
    small.publish("shop")
    pushed(small, "shop.sales")
    columns = "select attname from pg_attribute where attrelid = 'shop.sales'::regclass and attnum > 0 order by attnum"
    assert served.sql(columns).split() == ["sale_id", "amount", "sold_on"]


def test_readers_see_one_snapshot_while_pushes_are_killed(small: SmallMesh, served: PostgresServer) -> None:
    small.publish("shop")
    pushed(small)
    served.sql(
        "create view public.both as select (select sum(amount) from shop.sales) - (select sum(amount) from shop.totals) as d"
    )
    seen, stop = set[str](), threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(served.sql("select d from public.both"))

    reader = threading.Thread(target=read)
    reader.start()
    code = "from kit.core.config import Config; from kit.exchange.postgres import push; list(push(Config.load(), 'BI_DSN'))"
    try:
        for number in range(6):
            small.feed_rows(SALES[: -1 - number])
            small.publish("shop")
            with subprocess.Popen([sys.executable, "-c", code], cwd=small.root, env=os.environ) as process:
                try:
                    process.wait(timeout=0.8 + 0.3 * number)
                except subprocess.TimeoutExpired:
                    process.kill()
        pushed(small)
    finally:
        stop.set()
        reader.join()
    assert seen == {"0.00"}
    assert served.sql("select count(*) from shop.sales") == "24"
    served.sql("drop view public.both")


def test_without_an_address_the_sentence_names_the_variable(small: SmallMesh) -> None:
    with pytest.raises(
        KitError, match="the environment variable NO_DSN is not set; set it to the address of the database, such as"
    ):
        list(push(small.config, "NO_DSN"))


def test_an_error_does_not_contain_the_password(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BI_DSN", "postgresql://kit:open-sesame@127.0.0.1:1/shop")
    with pytest.raises(KitError) as error:
        pushed(small)
    assert "open-sesame" not in str(error.value)
    assert Path(small.root).exists()


def test_a_push_does_not_wait_for_readers(small: SmallMesh, served: PostgresServer) -> None:
    small.publish("shop")
    pushed(small)
    waiting = ["select count(*), pg_sleep(15) from shop.sales"]
    reader = threading.Thread(target=served.sql, args=waiting)
    reader.start()
    time.sleep(1)
    small.feed_rows(SALES[:-1])
    small.publish("shop")
    pushed(small)
    assert reader.is_alive()
    assert served.sql("select count(*) from shop.sales") == "29"
    reader.join()


def test_pushes_at_the_same_time_wait_for_each_other(small: SmallMesh, served: PostgresServer) -> None:
    rows = {"numbers": "select range as n from range(20000)", "sums": "select sum(range) as s from range(20000)"}
    publish_tables(small.store, "shop", rows)
    program = small.root / "program.py"
    write(
        program,
        "from kit.core.config import Config\nfrom kit.exchange.postgres import push\n"
        "print(len(list(push(Config.load(), 'BI_DSN'))))\n",
    )
    processes = [
        subprocess.Popen([sys.executable, str(program)], cwd=small.root, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    printed = [process.communicate(timeout=HANG)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert sorted(printed) == ["0", "0", "0", "2"]
    assert served.sql("select count(*) from shop.numbers") == "20000"


def test_ports_and_products_that_are_no_more_are_dropped_unless_a_view_needs_them(
    small: SmallMesh, served: PostgresServer
) -> None:
    publish_tables(small.store, "shop", {"old": "select 1 as id", "needed": "select 1 as id"})
    publish_tables(small.store, "gone", {"table": "select 1 as id"})
    assert len(pushed(small)) == 3
    served.sql("create view public.mine as select id from shop.needed")
    version = publish_tables(small.store, "shop", {"new": "select 1 as id"})
    shutil.rmtree(small.store.folder("gone"))
    assert pushed(small, "shop.new") == [f"shop.new: {version}"]
    kept = "shop.needed: its port is no more; the table stays, since view mine depends on it"
    assert pushed(small) == [
        kept, "shop.old: dropped, since its port is no more", "gone.table: dropped, since its product is no more"
    ]  # fmt: skip
    assert served.sql("select to_regclass('shop.old') is null and to_regclass('gone.table') is null") == "t"
    assert served.sql("select id from public.mine") == "1"
    assert pushed(small) == [kept]
    served.sql("drop view public.mine")
    assert pushed(small) == ["shop.needed: dropped, since its port is no more"]
    assert served.sql("select string_agg(port, ' ') from kit.snapshots") == "new"


def test_products_of_another_mesh_in_the_database_stay(small: SmallMesh, served: PostgresServer, tmp_path: Path) -> None:
    publish_tables(small.store, "shop", {"sales": "select 1 as id"})
    pushed(small)
    other = SmallMesh(tmp_path / "other")
    version = publish_tables(other.store, "plan", {"forecast": "select 1 as id"})
    assert pushed(other) == [f"plan.forecast: {version}"]
    assert pushed(small) == []
    assert served.sql("select count(*) from kit.snapshots") == "2"


@pytest.mark.parametrize(
    ("made", "kind"), [("table shop.sales (id int)", "table"), ("view shop.sales as select 1 as id", "view")]
)
def test_what_somebody_else_has_made_is_not_replaced(small: SmallMesh, served: PostgresServer, made: str, kind: str) -> None:
    served.sql("create schema shop", f"create {made}")
    publish_tables(small.store, "shop", {"sales": "select 2 as id", "totals": "select 2 as id"})
    version = publish_tables(small.store, "plan", {"forecast": "select 1 as id"})
    lines = push(small.config, "BI_DSN")
    assert next(lines) == f"plan.forecast: {version}"
    with pytest.raises(KitError) as error:
        next(lines)
    assert str(error.value) == (
        f"PostgreSQL at BI_DSN: shop.sales: the database has a {kind} of this name that the kit has not made; rename or drop "
        "it, or push to another database"
    )
    assert served.sql("select to_regclass('shop.totals') is null") == "t"
    assert served.sql("select count(*) from shop.sales") == ("0" if kind == "table" else "1")
    done = small.kit("serve", "postgres", "--to", "BI_DSN", "shop")
    assert (done.returncode, done.stdout) == (1, "")
    assert "that the kit has not made" in " ".join(done.stderr.split())
    served.sql("drop schema plan cascade")


def test_a_user_without_rights_is_named_and_needs_few(
    small: SmallMesh, served: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_tables(small.store, "shop", {"sales": "select 1 as id"})
    served.sql("drop role if exists weak", "create role weak login password 'weak-one'")
    monkeypatch.setenv("BI_DSN", served.dsn.replace("kit:s3cret-of-the-test%2F1%25", "weak:weak-one"))
    with pytest.raises(KitError) as error:
        pushed(small)
    assert str(error.value) == (
        "PostgreSQL at BI_DSN: permission denied for database shop; the user of the address needs a grant"
    )
    served.sql("create schema kit authorization weak", "create schema shop authorization weak")
    assert len(pushed(small)) == 1
    assert pushed(small) == []
    served.sql("drop schema kit cascade", "drop schema shop cascade", "drop role weak")


def test_rows_set_aside_are_a_table_without_hidden_columns(small: SmallMesh, served: PostgresServer) -> None:
    for path in ("sources", "contracts"):
        contract = small.domains / f"shop/{path}/sales.odcs.yaml"
        data = json.loads(contract.read_text())
        (rule,) = data["schema"][0]["properties"][1]["quality"]
        rule["customProperties"] = [{"property": "onFailure", "value": "quarantine"}]
        data["schema"][0]["properties"][1]["classification"] = "personal"
        data["customProperties"] = [*data.get("customProperties", ()), {"property": "quarantineLimit", "value": 0.5}]
        contract.write_text(json.dumps(data))
    small.replace("domains/shop/contracts/totals.odcs.yaml", "from raw.sales", "from sales")
    small.feed_rows([*SALES, "99,soap,9.50,2024-01-09"])
    assert small.build("shop").status == "published"
    pushed(small)
    tables = "select string_agg(port, ' ' order by port) from kit.snapshots"
    assert served.sql(tables) == "sales sales__quarantine totals"
    assert "soap" not in served.sql("select * from shop.sales__quarantine")
