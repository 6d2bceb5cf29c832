"""The search of a mesh for values: each kind of place is found, and nothing that only contains the value in a word."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import polars as pl
import pytest

from kit.core.config import Config
from kit.storage.value_search import Place, find_values
from tests.support.files import write

_PERSON = "ännä@example.com"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(root=tmp_path, storage=tmp_path / "state")


def _parquet(path: Path, **columns: list[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns).write_parquet(path)


def _found(config: Config, *values: str) -> list[tuple[str, str, str, str, int]]:
    return [(place.kind, place.product, place.version, place.part, place.rows) for place in find_values(config, values)]


def test_values_are_found_in_every_kind_of_parquet_file_of_the_storage(config: Config) -> None:
    rows = {"email": [_PERSON, None, "else"], "note": [f"asked for {_PERSON}.", _PERSON, "x" + _PERSON], "n": [1, 2, 3]}
    for path in ("raw/shop/sales/1.parquet", "products/shop/v1/sales/a.parquet", "products/shop/v1/sales__quarantine/a.parquet",
                 "products/shop/.staging-r1/sales/a.parquet"):  # fmt: skip
        _parquet(config.storage / path, **rows)
    assert _found(config, _PERSON) == [
        ("port", "shop", "v1", "email, note", 2),
        ("quarantine", "shop", "v1", "email, note", 2),
        ("raw data", "shop", "sales", "email, note", 2),
        ("unfinished build", "shop", ".staging-r1", "email, note", 2),
    ]


def test_numbers_lists_and_many_values_are_found(config: Config) -> None:
    _parquet(config.storage / "raw/shop/sales/1.parquet", id=[17, 170, 3], parts=[["a"], ["b", "17"], ["c"]])
    assert _found(config, "17", *(f"unused{i}" for i in range(1200))) == [("raw data", "shop", "sales", "id, parts", 2)]


@pytest.mark.parametrize("text", [_PERSON, json.dumps(_PERSON), json.dumps(json.dumps(_PERSON)), f"<td>{_PERSON}</td>"])
def test_values_are_found_in_texts_however_they_are_written(config: Config, text: str) -> None:
    write(config.storage / "runs/shop/r1/record.json", f"x\n{text}\n")
    write(config.storage / "runs/shop/r1/notebooks/forecast.ipynb", text)
    write(config.storage / "products/shop/v1/manifest.json", text)
    write(config.storage / "openlineage/1.shop", text)
    write(config.root / "domains/shop/contracts/sales.odcs.yaml", text)
    write(config.root / "notebooks/explore.ipynb", text)
    write(config.root / "elsewhere.txt", text)
    assert _found(config, _PERSON) == [
        ("domain folder", "shop", "", "", 1),
        ("executed notebook", "shop", "r1", "", 1),
        ("manifest", "shop", "v1", "", 1),
        ("notebook", "", "", "", 1),
        ("openlineage", "", "", "", 1),
        ("run record", "shop", "r1", "", 1),
    ]


def test_a_part_of_a_word_is_no_value(config: Config) -> None:
    write(config.storage / "runs/shop/r1/record.json", "annabel anna_2 banana")
    _parquet(config.storage / "raw/shop/sales/1.parquet", name=["annabel", "anna_2", "banana"])
    assert _found(config, "anna") == []


def test_values_are_found_in_databases_deleted_rows_included(config: Config) -> None:
    path = config.storage / "dagster/history/runs/index.db"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as history:
        history.execute("pragma secure_delete = off")
        history.execute("create table event_logs (id integer, event text)")
        history.executemany("insert into event_logs values (?, ?)", [(1, json.dumps({"x": _PERSON})), (2, "none")])
        history.commit()
        assert _found(config, _PERSON) == [("Dagster history", "", "", "event_logs", 1)]
        history.execute("delete from event_logs where id = 1")
        history.commit()
    assert _found(config, _PERSON) == [("Dagster history", "", "", "deleted rows", 1)]
    with closing(sqlite3.connect(path)) as history:
        history.execute("vacuum")
    assert find_values(config, [_PERSON]) == []
    work = config.storage / "dbt/shop.duckdb"
    work.parent.mkdir()
    with duckdb.connect(work) as connection:
        connection.execute(f"create schema marts; create table marts.sales as select '{_PERSON}' as email")
    assert find_values(config, [_PERSON]) == [Place("dbt", "", "", work, "marts.sales: email", 1)]


def test_nothing_is_searched_for_no_values(config: Config) -> None:
    assert find_values(config, [""]) == []
