"""Ports as Iceberg tables, read by PyIceberg, polars and DuckDB."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import duckdb
import polars as pl
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from kit.build import listeners
from kit.core import database
from kit.core.errors import KitError
from kit.exchange import iceberg
from kit.exchange.iceberg import SNAPSHOT, IcebergTables, export_iceberg
from kit.mesh.context import Context
from kit.storage import prune, remains
from kit.sync.sync import sync
from tests.conftest import ROOT
from tests.support.ending import end_with_parent
from tests.support.published import publish_tables
from tests.support.small_mesh import SmallMesh


@pytest.fixture(autouse=True)
def settings(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mesh asks for the tables, as its publications then make them; polars plans its scans by PyIceberg."""
    small.replace("pyproject.toml", "[tool.kit]", "[tool.kit]\niceberg = true")
    monkeypatch.setenv("POLARS_ICEBERG_PLANNER", "pyiceberg")


@contextmanager
def opened(small: SmallMesh) -> Iterator[SqlCatalog]:
    folder = small.config.storage / "iceberg"
    catalog = SqlCatalog("mesh", uri=f"sqlite:///{folder / 'catalog.db'}", warehouse=f"file://{folder}")
    yield catalog
    catalog.close()


def publish(small: SmallMesh, **request: Any) -> str:
    """Publish `shop`; its first snapshot may be a copy of one that another test built."""
    version = small.publish("shop", **request)
    IcebergTables().moved(small.config, "shop")
    return version


def table(small: SmallMesh, port: str) -> Table:
    with opened(small) as catalog:
        return catalog.load_table(("shop", port))


def versions(read: Table) -> list[str]:
    return [str(item.summary.additional_properties[SNAPSHOT]) for item in read.snapshots() if item.summary]


def by_duckdb(small: SmallMesh, port: str, snapshot: int | None = None) -> list[tuple[Any, ...]]:
    options = f", snapshot_from_id = {snapshot}" if snapshot else ""
    folder = small.config.storage / "iceberg/shop" / port
    with database.connect() as connection:
        for name in ("avro", "iceberg"):
            database.load_extension(connection, name, "test")
        return connection.execute(f"from iceberg_scan('{folder}'{options}) order by all").fetchall()


def published(small: SmallMesh, port: str, version: str | None = None) -> pl.DataFrame:
    name = version or small.store.read_pointer("shop").version  # type: ignore[union-attr]
    return pl.read_parquet(small.store.snapshot("shop", name).files(port)).sort(pl.all())


def test_new_texts_reach_the_tables_without_a_publication(small: SmallMesh) -> None:
    publish(small)
    before = versions(table(small, "totals"))
    small.replace("domains/shop/product.odps.yaml", "shop owner", "Ada")
    small.replace("domains/shop/contracts/totals.odcs.yaml", "the item", "what is sold")
    sync(small.context)
    assert small.build("shop").status == "up to date"
    read = table(small, "totals")
    assert (read.properties["owner"], read.schema().find_field("item").doc) == ("Ada", "what is sold")
    assert versions(read) == before


def test_each_port_is_a_table_with_the_types_comments_and_key_of_its_contract(small: SmallMesh) -> None:
    publish(small)
    with opened(small) as catalog:
        assert sorted(catalog.list_tables("shop")) == [("shop", "sales"), ("shop", "totals")]
    read = table(small, "totals")
    assert [(f.name, str(f.field_type), f.required, f.doc) for f in read.schema().fields] == [
        ("item", "string", True, "the item"), ("amount", "decimal(18, 2)", True, "the amount"),
    ]  # fmt: skip
    assert read.schema().identifier_field_names() == {"item"}
    assert (read.properties["comment"], read.properties["owner"]) == ("One row per totals.", "shop owner")


def test_three_readers_return_the_rows_at_the_newest_and_at_an_older_snapshot(small: SmallMesh) -> None:
    first = publish(small)
    small.replace("feed/sales.csv", "1,tea,1.50,", "1,tea,9.50,")
    second = publish(small)
    read = table(small, "sales")
    assert versions(read) == [first, second]
    for version, number in zip((first, second), [item.snapshot_id for item in read.snapshots()], strict=True):
        rows = published(small, "sales", version)
        assert read.scan(snapshot_id=number).to_polars().sort(pl.all()).equals(rows)
        assert pl.scan_iceberg(read, snapshot_id=number).collect().sort(pl.all()).equals(rows)
        assert by_duckdb(small, "sales", number) == rows.rows()
    assert read.scan().to_polars().sort(pl.all()).equals(published(small, "sales"))
    assert by_duckdb(small, "sales") == published(small, "sales").rows()


def test_a_publication_is_one_commit_and_no_copy(small: SmallMesh) -> None:
    publish(small)
    publish(small, force=True)
    read = table(small, "totals")
    assert len(read.snapshots()) == 2
    (entry,) = read.scan().plan_files()
    snapshot = small.store.current("shop")
    assert snapshot is not None
    assert entry.file.file_path == f"file://{snapshot.files('totals')[0]}"
    assert list((small.config.storage / "iceberg").rglob("*.parquet")) == []


def test_an_event_without_a_publication_commits_nothing(small: SmallMesh) -> None:
    publish(small)
    before = table(small, "totals").metadata_location
    IcebergTables().moved(small.config, "shop")
    assert table(small, "totals").metadata_location == before


def test_a_rollback_is_a_commit_of_the_older_files(small: SmallMesh) -> None:
    first = publish(small)
    small.replace("feed/sales.csv", "1,tea,1.50,", "1,tea,9.50,")
    second = publish(small)
    small.store.rollback("shop", first)
    IcebergTables().moved(small.config, "shop")
    read = table(small, "totals")
    assert versions(read) == [first, second, first]
    assert read.scan().to_polars().sort(pl.all()).equals(published(small, "totals", first))


CHANGES = [
    ("select 1::integer as id, 'a' as name, 1.5::decimal(9,2) as amount", {}),
    ("select 2::integer as id, 'b' as name, 2.5::decimal(9,2) as amount, true as paid", {}),  # added
    ("select 3::bigint as id, 3.5::decimal(18,2) as amount, true as paid", {}),  # dropped, widened
    ("select 4::bigint as id, 4.5::decimal(18,2) as total, true as paid", {}),  # renamed
    ("select 5::bigint as id, 5.5::decimal(18,2) as total, true as paid", {"id": {"required": True, "primaryKey": True}}),
    ("select 'six' as id, 6.5::decimal(18,2) as total, true as paid", {}),  # of a type that does not hold the ids before
]  # fmt: skip


@pytest.mark.slow
def test_every_change_of_columns_leaves_older_snapshots_readable(small: SmallMesh) -> None:
    made = []
    for number, (query, properties) in enumerate(CHANGES):
        more = {f"totals.{name}": {**value, "primaryKeyPosition": 1} for name, value in properties.items()}
        made.append(publish_tables(small.store, "shop", {"totals": query}, properties=more))
        IcebergTables().moved(small.config, "shop")
        read = table(small, "totals")
        kept = made if number < len(CHANGES) - 1 else made[-1:]
        assert versions(read) == kept
        for version, item in zip(kept, read.snapshots(), strict=True):
            rows = published(small, "totals", version)
            for frame in (
                read.scan(snapshot_id=item.snapshot_id).to_polars(),
                pl.scan_iceberg(read, snapshot_id=item.snapshot_id).collect(),
            ):
                assert frame.select(rows.columns).rows() == rows.rows()
            assert by_duckdb(small, "totals", item.snapshot_id)[0][0] == rows.rows()[0][0]
        assert read.schema().identifier_field_names() == ({"id"} if properties else set())


def test_the_files_of_a_partitioned_port_are_one_table(small: SmallMesh) -> None:
    publish_tables(small.store, "shop", {"totals": [f"select {number} as id" for number in range(5)]})
    IcebergTables().moved(small.config, "shop")
    read = table(small, "totals")
    assert len(list(read.scan().plan_files())) == 5
    assert sorted(read.scan().to_polars()["id"]) == [0, 1, 2, 3, 4]
    assert by_duckdb(small, "totals") == [(number,) for number in range(5)]


PUBLISHER = """
import sys, time
from kit.core.config import Config
from kit.exchange.iceberg import IcebergTables
from kit.storage.store import Store
from datetime import timedelta
from pathlib import Path
from tests.support.published import publish_tables
config = Config.load()
store = Store(config.storage)
for number in range(2, int(sys.argv[1])):
    publish_tables(store, "shop", {"totals": [f"select {number} as id, {part} as part" for part in range(3)]})
    IcebergTables().moved(config, "shop")
    if number % 4 == 0:
        store.prune("shop", 3, timedelta(seconds=20))
        IcebergTables().pruned(config, "shop")
"""


@pytest.mark.heavy
def test_readers_see_whole_snapshots_while_another_process_publishes_and_prunes(small: SmallMesh) -> None:
    for number in range(2):
        publish_tables(small.store, "shop", {"totals": [f"select {number} as id, {part} as part" for part in range(3)]})
        IcebergTables().moved(small.config, "shop")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    publisher = subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, "25"], cwd=small.root, env=environment, preexec_fn=end_with_parent
    )
    seen = set()
    while publisher.poll() is None:
        read = table(small, "totals")
        newest, *_, older = [item.snapshot_id for item in reversed(read.snapshots()[-2:])]
        for scanned in (None, newest, older):
            numbers = read.scan(snapshot_id=scanned).to_polars()
            frames = [numbers, pl.scan_iceberg(read, snapshot_id=scanned).collect()]
            assert [(frame["id"].n_unique(), sorted(frame["part"])) for frame in frames] == [(1, [0, 1, 2])] * 2
            seen.add(numbers["id"][0])
        rows = by_duckdb(small, "totals")
        assert (len({number for number, _ in rows}), [part for _, part in rows]) == (1, [0, 1, 2])
    assert publisher.returncode == 0
    assert len(seen) > 3
    assert table(small, "totals").scan().to_polars()["id"].unique().to_list() == [24]
    small.store.prune("shop", 1)
    IcebergTables().pruned(small.config, "shop")
    assert len(versions(table(small, "totals"))) == 1


def change(small: SmallMesh, sql: str, **columns: tuple[str, str]) -> None:
    """Change the amount of `totals`, or add columns before it: logical and physical types by name."""
    shutil.rmtree(small.domains / "plan")  # which reads it
    file = small.domains / "shop/contracts/totals.odcs.yaml"
    data = json.loads(file.read_text())
    (schema,) = data["schema"]
    schema.pop("quality")
    kept = {item["name"]: item for item in schema["properties"]}
    for name, (logical, physical) in columns.items():
        described = {"description": name, "logicalType": logical, "physicalType": physical}
        kept[name] = {"name": name, **kept.pop(name, {}), **described}
    schema["properties"] = list(kept.values())
    file.write_text(json.dumps(data))
    small.replace("domains/shop/models/marts/totals.sql", "sum(amount)::decimal(18,2) as amount", sql)
    tests = small.domains / "shop/models/marts/sales.yml"
    tests.write_text(tests.read_text().partition("unit_tests:")[0])
    sync(small.context)


def test_columns_keep_their_number_and_new_ones_get_another(small: SmallMesh) -> None:
    first = publish(small)
    change(small, "count(*)::integer as pieces, sum(amount)::decimal(18,2) as amount", pieces=("integer", "integer"))
    publish(small)
    read = table(small, "totals")
    assert {field.name: field.field_id for field in read.schema().fields} == {"item": 1, "amount": 2, "pieces": 3}
    old = read.scan(snapshot_id=read.snapshots()[0].snapshot_id).to_polars().sort(pl.all())
    assert old.equals(published(small, "totals", first))


def test_a_type_that_does_not_hold_the_values_before_begins_the_history_anew(small: SmallMesh) -> None:
    publish(small)
    change(small, "sum(amount)::varchar as amount", amount=("string", "varchar"))
    last = publish(small)
    read = table(small, "totals")
    assert versions(read) == [last]
    assert read.scan().to_polars().sort(pl.all()).equals(published(small, "totals"))


def test_history_goes_with_pruned_snapshots_and_leaves_no_file(small: SmallMesh) -> None:
    for _ in range(4):
        last = publish(small, force=True)
    folder = small.config.storage / "iceberg/shop/totals/metadata"
    before = len(list(folder.glob("*.avro")))
    prune(small.context, 1)
    IcebergTables().pruned(small.config, "shop")
    assert versions(table(small, "totals")) == [last]
    assert len(list(folder.glob("*.avro"))) < before
    assert by_duckdb(small, "totals") == published(small, "totals").rows()
    remains.remove(small.config, "shop")
    IcebergTables().pruned(small.config, "shop")
    assert not (small.config.storage / "iceberg/shop").exists()
    assert list((small.config.storage / "iceberg").glob("*/*/metadata")) == []


def test_what_an_export_missed_is_caught_up_by_the_next(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    first = publish(small)

    def fail(*_: object) -> None:
        raise OSError("no answer")

    with monkeypatch.context() as broken:
        broken.setattr(iceberg, "follow", fail)
        outcome = small.build("shop", force=True)
    assert (outcome.status, outcome.message) == ("published", "iceberg: OSError: no answer")
    third = publish(small, force=True)
    assert versions(table(small, "totals")) == [first, outcome.version, third]


def test_a_storage_that_was_moved_has_its_tables_again_after_a_publication(small: SmallMesh) -> None:
    publish(small)
    small.config.storage.rename(small.root / "elsewhere")
    small.replace("pyproject.toml", 'storage = "state"', 'storage = "elsewhere"')
    IcebergTables().moved(small.config, "shop")
    assert by_duckdb(small, "totals") == published(small, "totals").rows()


def test_a_column_without_a_type_in_iceberg_is_named_and_the_other_ports_are_tables(small: SmallMesh) -> None:
    change(small, "sum(amount)::ubigint as amount", amount=("integer", "ubigint"))
    outcome = small.build("shop")
    assert outcome.status == "published"
    assert outcome.message == (
        "iceberg: shop.totals is no Iceberg table: the column 'amount' is uint64; Iceberg has no type for it; "
        "publish it as bigint, decimal or varchar"
    )
    assert table(small, "sales").scan().to_polars().height == 30


def test_json_and_uuids_are_read_as_text(small: SmallMesh) -> None:
    uuid = "00000000-0000-4000-8000-00000000000a"
    change(small, f"'[1]'::json as amount, '{uuid}'::uuid as id", amount=("string", "json"), id=("string", "uuid"))
    publish(small)
    assert by_duckdb(small, "totals")[0][1:] == ("[1]", UUID(uuid))
    assert table(small, "totals").scan().to_arrow()["amount"].to_pylist() == ["[1]"] * 2
    assert table(small, "totals").scan().to_polars()["amount"].to_list() == ["[1]"] * 2


def test_nothing_is_made_without_the_setting(small: SmallMesh) -> None:
    small.replace("pyproject.toml", "iceberg = true", "iceberg = false")
    publish(small)
    assert not (small.config.storage / "iceberg").exists()


def test_a_missing_pyiceberg_costs_a_line_that_says_what_to_install(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyiceberg.catalog.sql", None)
    outcome = small.build("shop")
    assert outcome.status == "published"
    assert "pip install 'data-mesh-kit[iceberg]'" in outcome.message


def test_the_mesh_is_exported_to_a_catalog_of_the_company(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(small)
    place = small.root / "company"
    place.mkdir()
    monkeypatch.setenv("PYICEBERG_CATALOG__COMPANY__URI", f"sqlite:///{place / 'catalog.db'}")
    monkeypatch.setenv("PYICEBERG_CATALOG__COMPANY__WAREHOUSE", f"file://{place}")
    catalog = company(monkeypatch)
    assert list(export_iceberg(small.config, ["shop"], "company")) == ["shop.sales", "shop.totals"]
    read = catalog().load_table(("shop", "totals"))
    assert read.scan().to_polars().sort(pl.all()).equals(published(small, "totals"))
    list(export_iceberg(small.config, ["shop"], "company"))
    assert len(catalog().load_table(("shop", "totals")).snapshots()) == 1


def company(monkeypatch: pytest.MonkeyPatch) -> Callable[[], SqlCatalog]:
    """PyIceberg reads its settings at import: a test reads them again."""
    import pyiceberg.catalog
    from pyiceberg.utils.config import Config

    monkeypatch.setattr(pyiceberg.catalog, "_ENV_CONFIG", Config())
    return lambda: pyiceberg.catalog.load_catalog("company")  # type: ignore[return-value]


def test_a_catalog_that_is_not_configured_is_one_sentence(small: SmallMesh) -> None:
    publish(small)
    with pytest.raises(KitError, match=r"the Iceberg catalog 'nowhere' cannot be opened: .*; configure it in"):
        list(export_iceberg(small.config, ["shop"], "nowhere"))


def test_the_listener_is_found_by_its_entry_point() -> None:
    assert {point.name: point.value for point in listeners.points_of(listeners.GROUP)}["iceberg"] == (
        "kit.exchange.iceberg:IcebergTables"
    )


def test_duckdb_never_loads_an_extension_of_another_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb, "__version__", "1.0.0")
    with (
        database.connect() as connection,
        pytest.raises(KitError, match=r"needs the package duckdb-extension-avro==1.0.0; install it with `pip install"),
    ):
        database.load_extension(connection, "avro", "test")


def test_the_contracts_of_a_snapshot_are_not_validated_again(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.publish("shop")
    assert Context(small.config).mesh.products  # has read and remembered the contracts in the domains

    def validate(document: Any, standard: str) -> None:
        raise AssertionError(document.path)

    monkeypatch.setattr("kit.contracts.loader.check_schema", validate)
    IcebergTables().moved(small.config, "shop")
    assert versions(table(small, "sales")) == [small.store.read_pointer("shop").version]  # type: ignore[union-attr]
