import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.exchange.postgres import push
from tests.support.postgres import PostgresServer, postgres  # noqa: F401  a fixture
from tests.support.small_mesh import SALES, SmallMesh

pytestmark = pytest.mark.heavy


@pytest.fixture
def served(small: SmallMesh, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:  # noqa: F811
    postgres.sql("drop schema if exists shop cascade", "drop schema if exists kit cascade")
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
