import datetime
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import intake
import numpy as np
import pandas as pd
import polars as pl
import pytest

import kit
from kit.core.errors import SqlError
from kit.jupyter.session_pins import SessionPins
from kit.jupyter.sql_session import SqlSession
from kit.mesh.context import Context
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def session(small: SmallMesh) -> Iterator[SqlSession]:
    small.publish("shop")
    session = SqlSession(SessionPins(small.config))
    yield session
    session.pins.close()


def rows(session: SqlSession, query: str, **names: Any) -> list[tuple[Any, ...]]:
    return session.query(query, names).rows()


def test_ports_are_queried_by_name(session: SqlSession) -> None:
    assert rows(session, "select item, amount::int from shop.totals order by item") == [("cake", 170), ("tea", 310)]
    assert rows(session, 'select count(*) from "shop"."sales" s join Shop.Totals using (item)') == [(30,)]
    assert session.query("describe shop.totals", {})["column_name"].to_list() == ["item", "amount"]
    assert session.query("pivot shop.sales on item using count(*)", {}).columns[-2:] == ["cake", "tea"]


def test_pandas_gets_the_same_types_by_every_route_through_polars(
    session: SqlSession, small: SmallMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small.root)
    first = kit.read("shop.sales").to_pandas()
    assert [str(kind) for kind in first.dtypes] == ["int64", "str", "object", "datetime64[ms]"]
    assert first["amount"][0] == Decimal("1.50")
    plain = intake.open_catalog("state/catalog.yaml").shop.sales.read()
    for frame in (
        kit.open()["shop.sales"].to_pandas(),
        kit.scan("shop.sales").collect().to_pandas(),
        session.query("from shop.sales order by sale_id", {}).to_pandas(),
        plain.collect().to_pandas(),
    ):
        pd.testing.assert_frame_equal(frame, first)


def test_frames_and_values_of_the_notebook(session: SqlSession) -> None:
    mine = pl.DataFrame({"item": ["tea"], "price": [3]})
    names = {"mine": mine, "pandas_frame": pd.DataFrame({"item": ["cake"]}), "lazy": mine.lazy(), "shop": mine}
    assert rows(session, "select price from mine join shop.totals using (item)", **names) == [(3,)]
    assert rows(session, "select item from pandas_frame union all select item from lazy", **names) == [("cake",), ("tea",)]
    hostile = "' or true --"
    assert rows(session, "select count(*) from shop.sales where item = $item", item=hostile) == [(0,)]
    values = {"a": np.int64(3), "b": [1, 2], "c": pl.Series([5]), "d": datetime.date(2024, 1, 2), "e": {7}}
    assert rows(session, "select $a, $b, $c, $d, $e", **values) == [(3, [1, 2], [5], datetime.date(2024, 1, 2), [7])]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (
            "select amont from shop.totals",
            "line 1: there is no column 'amont'; did you mean amount? there are: amount, item\n    select amont",
        ),
        (
            "from shop.totls",
            " of 'shop' has no port 'totls'; did you mean totals? there are: sales, totals\n    from shop.totls\n         ^",
        ),
        ("from 'shop.totals'", "line 1: 'shop.totals' is one name; write shop.totals without quotes, or"),
        ("from totals", "line 1: there is no port or frame 'totals'; did you mean shop.totals?"),
        ("from shp.totals", "line 1: there is no port 'shp.totals'; did you mean shop.totals or shop.sales?"),
        ("from plan.forecast", "line 1: 'plan' has no published snapshot yet; build it with `kit run plan`"),
        ("selct 1", "line 1: syntax error at 'selct'; did you mean select?\n    selct 1\n    ^"),
        ("select item::int from shop.totals", "line 1: Could not convert string"),
        ("insert into shop.totals values (1)", "'insert' is no query of ports: write select, from, with,"),
        ("set threads = 1", "'set' is no query of ports"),
        ("show databases", "'show' is no query of ports"),
        ("select 1; drop table x", "2 queries; write one in each cell"),
        ("-- nothing", "no queries; write one in each cell"),
        ("select $missing", "$missing is no variable of the notebook; assign it in a cell before"),
        ("select ?", "a value without a name; write $name"),
        ("select $thing", "Unable to transform python value of type"),
        ("select $mine", "$mine is a frame; use its name without the $"),
        ("select 1 as a, 2 as a", "two columns of the result are called 'a'; name one of them with `as`"),
        ("from '/etc/passwd'", "line 1: there is no port or frame '/etc/passwd'"),
        ("from read_csv('/etc/passwd')", "line 1: '/etc/passwd' is out of reach: a query reads ports, and frames"),
        ("from glob('/*')", "line 1: '/*' is out of reach"),
    ],
)
def test_a_query_that_is_wrong_or_forbidden_is_refused(session: SqlSession, query: str, says: str) -> None:
    with pytest.raises(SqlError) as error:
        session.query(query, {"thing": object(), "mine": pl.DataFrame()})
    assert says in str(error.value)


def test_columns_that_no_frame_can_hold_are_texts(session: SqlSession) -> None:
    frame = session.query("select interval 1 day as i, [interval 2 month] as many, 1 as n", {})
    assert (frame.rows(), frame.schema["n"]) == ([("1 day", "[2 months]", 1)], pl.Int32)


def test_the_tables_are_listed(session: SqlSession) -> None:
    tables = session.query("show tables;", {})
    assert tables.rows()[1] == ("shop.totals", "item, amount")


def test_nothing_but_the_named_files_can_be_read(session: SqlSession, small: SmallMesh) -> None:
    other = next(small.config.storage.glob("products/shop/*/sales/*.parquet"))
    with pytest.raises(SqlError, match="is out of reach"):
        session.query(f"select (select count(*) from shop.totals) from read_parquet('{other}')", {})


def test_a_session_outside_a_domain_reads_published_ports(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    small.publish("shop")
    session = SqlSession.open(Context.load)
    with closing(session.pins):
        assert rows(session, "select count(*) from shop.sales") == [(30,)]


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupted_query_ends_at_once(session: SqlSession, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setenv("KIT_THREADS", str(threads))
    query = "select a.i from range(1000000) a(i), range(1000000) b(i) where hash(a.i * b.i) % 1000000000000 = 3"
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begun = time.monotonic()
    with pytest.raises(SqlError, match="the query was interrupted"):
        session.query(query, {})
    assert time.monotonic() - begun < 10  # all of it takes hours
    assert rows(session, "select count(*) from shop.totals") == [(2,)]
