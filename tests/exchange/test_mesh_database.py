import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from kit.core.config import Config
from kit.core.errors import KitError
from kit.exchange import mesh_database
from kit.storage.store import Store
from tests.support.ending import end_with_parent
from tests.support.limits import HANG
from tests.support.published import publish_tables
from tests.support.small_mesh import SALES, SmallMesh

TABLES = "select schema_name || '.' || view_name from duckdb_views() where not internal order by 1"


def query(storage: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(storage / "mesh.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def tables(storage: Path) -> list[str]:
    return [name for (name,) in query(storage, TABLES)]


def publish(store: Store, product: str, number: int) -> None:
    """Publish one row, the number, in the ports `a` and `b`, without a build."""
    pointer = store.read_pointer(product)
    staging = store.stage(product, "r", ["a", "b"])
    for port in "ab":
        pl.DataFrame({"number": [number]}).write_parquet(staging / port / "data.parquet")
    entry = {"rows": 1, "contract_version": "1.0.0", "newest": None, "checks": {"passed": 0, "warned": 0}}
    content = {"run_id": "r", "fingerprint": "f", "inputs": {}, "sources": {}, "checks": []}
    content["ports"] = {port: dict(entry) for port in "ab"}
    store.publish(product, staging, content, parent=pointer.version if pointer else None)


def test_a_build_shows_ports_and_landed_sources_with_comments(small: SmallMesh) -> None:
    small.build("shop")
    storage = small.config.storage
    assert tables(storage) == ["shop.sales", "shop.totals", "shop_raw.sales"]
    assert query(storage, "from shop.totals") == [("cake", pl.Series([170]).cast(pl.Decimal(18, 2))[0]), ("tea", 310)]
    assert query(storage, "select count(*) from shop_raw.sales") == [(30,)]
    assert query(storage, "select comment from duckdb_views() where view_name = 'totals'") == [("One row per totals.",)]
    columns = "select column_name, data_type, comment from duckdb_columns() where table_name = 'totals'"
    assert query(storage, columns) == [("item", "VARCHAR", "the item"), ("amount", "DECIMAL(18,2)", "the amount")]


def test_text_of_a_contract_is_no_sql(small: SmallMesh) -> None:
    small.replace("domains/shop/contracts/totals.odcs.yaml", "the item", "it's; drop view shop.sales")
    small.publish("shop")
    mesh_database.write(small.config)
    comments = "select comment from duckdb_columns() where schema_name = 'shop' and column_name = 'item' order by table_name"
    assert query(small.config.storage, comments) == [("the item",), ("it's; drop view shop.sales",)]


def test_landed_sources_lack_masked_and_personal_columns(small: SmallMesh) -> None:
    small.mask("shop/sources/sales.odcs.yaml", amount={"generalise": 10})
    contract = small.domains / "shop/contracts/sales.odcs.yaml"
    data = json.loads(contract.read_text())
    data["schema"][0]["properties"][1]["classification"] = "personal"  # another contract of the product
    contract.write_text(json.dumps(data))
    assert small.build("shop").status == "published"
    storage = small.config.storage
    columns = "select column_name from duckdb_columns() where schema_name = 'shop_raw'"
    assert query(storage, columns) == [("sale_id",), ("sold_on",)]
    assert query(storage, "select count(item) from shop.sales") == [(30,)]  # as published


def test_sources_of_snapshots_that_do_not_name_their_hidden_columns_are_left_out(small: SmallMesh) -> None:
    small.publish("shop")
    snapshot = small.store.current("shop")
    assert snapshot
    path = snapshot.folder / "manifest.json"
    path.chmod(0o644)
    manifest = json.loads(path.read_text())
    del manifest["sources"]["sales"]["about"]
    path.write_text(json.dumps(manifest))
    mesh_database.write(small.config)
    assert tables(small.config.storage) == ["shop.sales", "shop.totals"]


def test_rows_set_aside_are_tables(small: SmallMesh) -> None:
    for path in ("sources", "contracts"):
        contract = small.domains / f"shop/{path}/sales.odcs.yaml"
        data = json.loads(contract.read_text())
        (rule,) = data["schema"][0]["properties"][1]["quality"]
        rule["customProperties"] = [{"property": "onFailure", "value": "quarantine"}]
        data["customProperties"] = [*data.get("customProperties", ()), {"property": "quarantineLimit", "value": 0.5}]
        contract.write_text(json.dumps(data))
    small.replace("domains/shop/contracts/totals.odcs.yaml", "from raw.sales", "from sales")
    small.feed_rows([*SALES, "99,soap,9.50,2024-01-09"])
    outcome = small.build("shop")
    assert outcome.status == "published", outcome.message
    storage = small.config.storage
    assert tables(storage) == [
        "shop.sales", "shop.sales__quarantine", "shop.totals", "shop_raw.sales", "shop_raw.sales__quarantine"
    ]  # fmt: skip
    assert query(storage, "select row_number, payload ->> 'item' from shop_raw.sales__quarantine") == [(31, "soap")]


def test_a_rollback_shows_the_older_snapshot(small: SmallMesh) -> None:
    small.publish("shop")
    small.feed_rows(SALES[:-1])
    assert small.build("shop").status == "published"
    count = "select count(*) from shop.sales"
    assert query(small.config.storage, count) == [(29,)]
    small.kit("rollback", "shop", "-1", check=True)
    assert query(small.config.storage, count) == [(30,)]


def test_a_moved_mesh_reads_its_own_files_after_the_next_publication(tmp_path: Path) -> None:
    old = SmallMesh(tmp_path / "old")
    old.build("shop")
    moved = tmp_path / "new"
    shutil.move(old.root, moved)
    with pytest.raises(duckdb.IOException):
        query(moved / "state", "from shop.totals")
    publish(Store(moved / "state"), "other", 1)
    new = SmallMesh(moved)
    mesh_database.write(new.config)
    assert query(moved / "state", "select count(*) from shop.sales") == [(30,)]


def test_a_product_that_cannot_be_read_costs_a_line_and_no_other_product(small: SmallMesh) -> None:
    store = small.store
    for product in ("one", "two", "three"):
        publish(store, product, 1)
    (store.folder("one") / "current.json").write_text("{")
    file = Path(store.current("two").paths("a")[0])  # type: ignore[union-attr]
    file.chmod(0o644)
    file.write_bytes(b"x" * file.stat().st_size)
    problems = mesh_database.write(small.config)
    assert list(problems) == ["one", "two"]
    assert problems["one"][0].startswith("the pointer of 'one' is damaged: ")
    assert problems["two"][0].startswith("two.a is left out: Invalid Input Error: No magic bytes found")
    mesh_database.MeshDatabase().moved(small.config, "three")
    with pytest.raises(KitError, match=r"two\.a is left out"):
        mesh_database.MeshDatabase().moved(small.config, "two")
    assert tables(small.config.storage) == ["three.a", "three.b", "two.b"]


def test_names_that_sql_reserves_are_schemas_and_views(small: SmallMesh) -> None:
    publish_tables(small.store, "select", {"order": 'select 1 as "from", 2 as "table"', "group": "select 'a' as it"})
    assert mesh_database.write(small.config) == {}
    storage = small.config.storage
    assert tables(storage) == ["select.group", "select.order"]
    assert query(storage, 'select "from" + "table" from "select"."order"') == [(3,)]
    comments = query(storage, "select comment from duckdb_columns() where column_name = 'from'")
    assert comments == [("the from",)]


def test_a_product_that_is_deleted_is_shown_no_more(small: SmallMesh) -> None:
    publish(small.store, "one", 1)
    publish(small.store, "two", 1)
    mesh_database.write(small.config)
    shutil.rmtree(small.store.folder("one"))
    assert mesh_database.write(small.config) == {}
    assert tables(small.config.storage) == ["two.a", "two.b"]


def test_a_session_keeps_its_snapshot_for_the_time_of_grace(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    store = small.store
    publish(store, "shop", 0)
    mesh_database.write(small.config)
    monkeypatch.chdir("/")
    with duckdb.connect(str(small.config.storage / "mesh.duckdb"), read_only=True) as session:
        for number in range(1, 4):
            publish(store, "shop", number)
            mesh_database.write(small.config)
            store.prune("shop", 1, timedelta(hours=1))
            assert session.execute("select a.number, b.number from shop.a, shop.b").fetchall() == [(0, 0)]
        assert len(store.versions("shop")) == 4
        assert query(small.config.storage, "from shop.a") == [(0,)]  # DuckDB opens a file once for each process
        store.prune("shop", 1)
        with pytest.raises(duckdb.IOException, match="No files found that match the pattern"):
            session.execute("from shop.a")
    assert query(small.config.storage, "from shop.a") == [(3,)]


def test_a_copied_mesh_shows_the_original_until_its_next_publication(tmp_path: Path) -> None:
    original = SmallMesh(tmp_path / "original")
    publish(original.store, "shop", 1)
    mesh_database.write(original.config)
    shutil.copytree(original.root, tmp_path / "the 'copy'", symlinks=True)
    publish(original.store, "shop", 2)
    mesh_database.write(original.config)
    copied = Store(tmp_path / "the 'copy'/state")
    assert query(copied.storage, "from shop.a") == [(1,)]
    publish(copied, "shop", 3)
    mesh_database.write(Config.load(tmp_path / "the 'copy'", {}))
    assert query(copied.storage, "from shop.a") == [(3,)]
    assert query(original.config.storage, "from shop.a") == [(2,)]


def test_a_port_wins_over_raw_data_of_the_same_name(small: SmallMesh) -> None:
    small.publish("shop")
    small.snapshot("shop_raw", "sales", {"amount": ["1"]})
    mesh_database.write(small.config)
    assert query(small.config.storage, "select count(*) from shop_raw.sales") == [(1,)]


def test_the_log_of_a_writer_does_not_change_the_next_file(small: SmallMesh) -> None:
    publish(small.store, "shop", 1)
    mesh_database.write(small.config)
    path = small.config.storage / "mesh.duckdb"
    assert path.stat().st_mode & 0o777 == 0o444
    path.chmod(0o644)
    code = f"import duckdb, os; c = duckdb.connect({str(path)!r}); c.execute('create table mine(i int)'); os._exit(0)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert path.with_name("mesh.duckdb.wal").exists()
    mesh_database.write(small.config)
    assert query(small.config.storage, "select count(*) from duckdb_tables() where not internal") == [(0,)]


@pytest.mark.parametrize("moment", ["chmod", "replace"])
def test_a_killed_writer_leaves_the_old_file(small: SmallMesh, moment: str) -> None:
    publish(small.store, "shop", 1)
    mesh_database.write(small.config)
    publish(small.store, "shop", 2)
    code = (
        "import os, pathlib\nfrom kit.core.config import Config\nfrom kit.exchange import mesh_database\n"
        f"pathlib.Path.{moment} = lambda *_: os._exit(9)\nmesh_database.write(Config.load())\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=small.root, check=False).returncode == 9
    assert query(small.config.storage, "from shop.a") == [(1,)]
    mesh_database.write(small.config)
    assert query(small.config.storage, "from shop.a") == [(2,)]
    assert [path.name for path in small.config.storage.glob(".mesh.duckdb*")] == [".mesh.duckdb.lock"]


PUBLISHER = """
import sys
from kit.core.config import Config
from kit.exchange import mesh_database
from tests.exchange.test_mesh_database import publish, Store
config, product = Config.load(), sys.argv[1]
for number in range(int(sys.argv[2])):
    publish(Store(config.storage), product, number)
    mesh_database.write(config)
"""


def test_publications_at_the_same_time_lose_no_view(small: SmallMesh) -> None:
    processes = [python(small, PUBLISHER, product, "6") for product in ("one", "two", "three")]
    for process in processes:
        process.communicate(timeout=HANG)
    assert [process.returncode for process in processes] == [0, 0, 0]
    storage = small.config.storage
    assert tables(storage) == [f"{product}.{port}" for product in ("one", "three", "two") for port in "ab"]
    assert query(storage, "select number from one.a union all from two.b union all from three.a") == [(5,)] * 3


READER = """
import sys, time
from pathlib import Path
import duckdb
path, stop = Path(sys.argv[1], "mesh.duckdb"), Path(sys.argv[1], "stop")
reads, seen = 0, set()
while not stop.exists():
    with duckdb.connect(str(path), read_only=True) as connection:
        (first,) = connection.execute("select number from shop.a").fetchone()
        time.sleep(0.002)
        assert connection.execute("select number from shop.b").fetchone() == (first,), "a mix of snapshots"
    reads += 1
    seen.add(first)
print(reads, len(seen))
"""


def python(small: SmallMesh, code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=small.root, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}, preexec_fn=end_with_parent,
    )  # fmt: skip


@contextmanager
def polled(small: SmallMesh) -> Iterator[list[int]]:
    """A reader in another process meanwhile; then the list has its number of reads and that of the snapshots it saw."""
    result: list[int] = []
    reader = python(small, READER, str(small.config.storage))
    yield result
    (small.config.storage / "stop").touch()
    output, _ = reader.communicate(timeout=HANG)
    assert reader.returncode == 0
    result += map(int, output.split())


def poll(small: SmallMesh, publications: int) -> None:
    store, grace = small.store, timedelta(seconds=5)
    publish(store, "shop", 0)
    mesh_database.write(small.config)
    with polled(small) as result:
        for number in range(1, publications):
            publish(store, "shop", number)
            mesh_database.write(small.config)
            store.prune("shop", 1, grace)
        time.sleep(0.2)
    reads, seen = result
    assert reads > publications / 10
    assert seen > min(publications, 20) / 10


def test_a_reader_sees_no_error_and_no_mix_while_others_publish(small: SmallMesh) -> None:
    poll(small, 30)


@pytest.mark.heavy
def test_a_reader_sees_no_error_and_no_mix_in_a_thousand_publications(small: SmallMesh) -> None:
    poll(small, 1000)
    assert len(small.store.versions("shop")) < 500
