"""The SQL that DuckDB runs without the kit."""

import json
import re
from pathlib import Path

import duckdb
import polars as pl
import pytest

from kit.storage.plain_sql import read_current, storage_readme
from kit.storage.store import Store
from tests.support.small_mesh import SmallMesh


def publish(store: Store, values: list[list[int]], parent: str | None, port: str = "a") -> str:
    """Publish a port of one file for each list of values."""
    with store.build_lock("shop"):
        staging = store.stage("shop", "r", [port])
        for number, column in enumerate(values):
            pl.DataFrame({"n": column}).write_parquet(staging / port / f"{number}.parquet")
        content = {"run_id": "r", "fingerprint": "f", "inputs": {}, "ports": {port: {"rows": 1, "contract_version": "1.0.0"}}}
        return store.publish("shop", staging, content, parent=parent).version


def rows(sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return sorted(connection.execute(sql).fetchall())


@pytest.mark.parametrize("port", ["a", "raw.a__quarantine", "select"])
def test_it_reads_all_files_of_the_current_snapshot_only(tmp_path: Path, port: str) -> None:
    store = Store(tmp_path / "it's mine")
    sql = read_current(str(store.folder("shop")), port)
    first = publish(store, [[1, 2], [3]], None, port)
    assert rows(sql) == [(1,), (2,), (3,)]
    publish(store, [[4]], first, port)
    assert rows(sql) == [(4,)]
    store.rollback("shop", first)
    assert rows(sql) == [(1,), (2,), (3,)]


def test_the_storage_explains_it_with_an_example_that_runs(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.publish("shop")
    small.replace("feed/sales.csv", "1,tea,1.50,", "1,tea,9.50,")
    small.publish("shop")
    text = (small.config.storage / "README.md").read_text()
    (sql,) = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(small.config.storage)
    pattern = "products/shop/*/sales/*.parquet"
    assert pattern in text
    assert len(rows(f"from '{pattern}'")) == 60
    assert len(rows(sql)) == 30


def test_before_anything_is_published_the_example_has_placeholders() -> None:
    assert "products/PRODUCT/current.json" in storage_readme([])


def test_the_pointer_keeps_the_fields_that_the_sql_reads(tmp_path: Path) -> None:
    store = Store(tmp_path)
    version = publish(store, [[1]], None)
    pointer = json.loads((store.folder("shop") / "current.json").read_text())
    assert pointer["ports"]["a"]["path"] == f"{version}/a"
