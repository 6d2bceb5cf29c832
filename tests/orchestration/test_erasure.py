"""The rows of a person go, at whatever moment the process is killed; readers see whole snapshots all the time."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from kit.orchestration import erasure
from kit.orchestration.erased_places import ErasureKey, find_places
from kit.orchestration.instance import home, instance
from kit.orchestration.run import RunResult
from kit.storage import Place
from kit.storage.runs import Runs
from tests.support.days import write_days
from tests.support.shop import SALES
from tests.support.small_mesh import SmallMesh

PERSON = "4711001"
STEPS = ["listed", "begun", "built", "runs deleted", "history deleted", "snapshots deleted", "raw data deleted", "recorded"]


class Killed(BaseException):
    """The end of the process at a step."""


@dataclass(frozen=True)
class Built:
    small: SmallMesh

    def run(self, *_: Any, **__: Any) -> RunResult:
        return RunResult((self.small.build("shop", force=True),))

    def erase(self, killed_at: str = "") -> erasure.Erasure:
        context = self.small.context
        places, key = find_places(context, ErasureKey.of(context, "sale_id", PERSON))

        def step(name: str) -> None:
            if name == killed_at:
                raise Killed

        return erasure.erase(context, key, places, step=step)

    def read(self) -> list[int]:
        snapshot = self.small.store.current("shop")
        assert snapshot
        snapshot.check()
        return pl.read_parquet(snapshot.paths("sales"))["sale_id"].to_list()

    def anywhere(self) -> list[Path]:
        """The files that contain the value, whether or not the search of the kit finds it."""
        storage = self.small.config.storage
        tables = [path for path in storage.rglob("*.parquet") if path.is_file()]
        found = [path for path in tables if any((pl.read_parquet(path).cast(pl.String, strict=False) == PERSON).sum().row(0))]
        return found + [path for path in storage.rglob("*") if path.is_file() and PERSON.encode() in path.read_bytes()]


@pytest.fixture
def built(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> Iterator[Built]:
    small.feed_rows([*SALES, f"{PERSON},tea,1.50,2024-01-04"])
    small.publish("shop")
    first = Runs(small.config.storage).ids("shop")[0]
    notebook = Runs(small.config.storage).folder("shop", first) / "notebooks/look.ipynb"
    notebook.parent.mkdir(exist_ok=True)
    notebook.write_text(json.dumps({"cells": [{"outputs": [f"customer {PERSON}"]}]}))
    with instance(small.config) as opened:
        opened.report_runless_asset_event(dg.AssetMaterialization(["shop", "sales"], description=f"row {PERSON}"))
    (small.config.storage / "report.html").write_text(f"<td>{PERSON}</td>")
    answer = small.config.storage / "answers/ab/abcd.json"
    answer.parent.mkdir(parents=True)
    answer.write_text(json.dumps({"text": f"Write to {PERSON}."}))
    made = Built(small)
    monkeypatch.setattr(erasure, "run", made.run)
    yield made


@pytest.mark.heavy
def test_whatever_step_a_kill_follows_the_next_call_finishes_and_readers_see_whole_snapshots(built: Built) -> None:
    kinds = {place.kind for place in find_places(built.small.context, ErasureKey.of(built.small.context, "sale_id", PERSON))[0]}
    assert kinds >= {"raw data", "port", "executed notebook", "Dagster history", "report.html", "answers"}
    assert len(built.read()) == 31
    for name in STEPS:
        with pytest.raises(Killed):
            built.erase(killed_at=name)
        assert len(built.read()) in (30, 31)
    assert erasure.unfinished(built.small.context) == []  # it was killed after the record
    done = built.erase()
    assert (done.complete, done.left, built.anywhere(), len(built.read())) == (True, (), [], 30)
    record = json.loads(min((built.small.config.storage / erasure.FOLDER).glob("*.json")).read_text())
    assert (record["column"], bool(record["finished"]), record["products"]) == (
        "sale_id",
        True,
        ["plan", "shop"],
    )
    # The source delivers the row again, in the same file and in a new one: it does not land.
    assert built.small.build("shop").status == "up to date"
    built.small.feed_rows([*SALES, f"{PERSON},tea,1.50,2024-01-04", "32,tea,1.50,2024-01-04"])
    assert built.small.build("shop").status == "published"
    assert (len(built.read()), built.anywhere()) == (31, [])


@pytest.mark.slow
def test_what_is_being_read_is_named_and_the_next_call_deletes_it(built: Built) -> None:
    with built.small.store.open("shop") as held:
        done = built.erase()
        assert (done.complete, len(built.read())) == (False, 30)
        assert done.problems == (f"snapshot {held.version} of 'shop' was kept, it is being read",)
        assert erasure.unfinished(built.small.context)[0].startswith("an erasure of sale_id of 20")
    assert built.erase().complete
    assert (built.anywhere(), erasure.unfinished(built.small.context)) == ([], [])


def test_no_page_of_dagsters_databases_keeps_a_deleted_value(small: SmallMesh) -> None:
    from kit.orchestration.instance import forget_values

    with instance(small.config) as opened:
        for text in ("person-4711", "another"):
            opened.report_runless_asset_event(dg.AssetMaterialization(["shop", text.replace("-", "_")], description=text))
    assert forget_values(small.config, {"person-4711"}) == []
    index = home(small.config) / "history/runs/index.db"
    with closing(sqlite3.connect(index)) as connection:
        assert connection.execute("select count(*) from event_logs").fetchall() == [(1,)]
    left = [path for path in home(small.config).rglob("*") if path.is_file() and b"person-4711" in path.read_bytes()]
    assert left == []


def test_old_days_whose_rows_no_source_may_have_any_more_are_not_built_anew(small: SmallMesh) -> None:
    write_days(small.domains / "days", start="2024-01-04", lookback=2)
    (days,) = [product for product in small.mesh.products if product.name == "days"]
    assert erasure._rebuilt(small.context, [days, small.product("shop")]) == {"days": ("2024-01-08", "2024-01-09")}
    kept = {table for table, _ in erasure._kept_tables(small.context)}
    assert kept == {"shop.raw.sales", "days.takings"}


def test_why_a_product_was_not_built_is_named(small: SmallMesh) -> None:
    (small.domains / "plan/product.odps.yaml").write_text("nonsense: [")
    left = [Place("port", name, "v1", Path("a.parquet"), "sale_id", 1) for name in ("gone", "plan", "shop")]
    assert list(erasure._not_built(small.context, left)) == [
        "gone has no folder below domains; `kit prune gone --everything` deletes all of it",
        "plan cannot be built until its files are corrected; `kit check` names them",
    ]


def test_a_model_that_begins_with_rows_without_the_key_is_named(small: SmallMesh) -> None:
    model = small.domains / "shop/models/marts/sales.sql"
    model.write_text("{{ config(materialized='incremental', incremental_strategy='append') }}\n" + model.read_text())
    version = small.snapshot("shop", "sales", {"item": ["tea"], "amount": ["1.50"]})
    path = small.store.folder("shop") / version / "sales/data.parquet"
    left = [Place("port", "shop", version, path, "item", 1), Place("port", "shop", "older", path, "item", 1)]
    assert list(erasure._grown(small.context, left)) == [
        "shop.sales begins with its published rows, which have values without the key; "
        "make it anew with `kit run shop --full-refresh`"
    ]
