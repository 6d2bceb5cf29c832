from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit.core.errors import KitError
from kit.storage.partition_inputs import (
    PartitionInput,
    PartitionRecord,
    outdated_partitions,
    partitions_to_json,
    port_contents,
    read_partitions,
    table_contents,
)
from kit.storage.snapshot import Snapshot
from tests.support.days import publish_days, publish_sales, write_days
from tests.support.small_mesh import SmallMesh

DAYS = ["2024-01-04", "2024-01-05", "2024-01-06", "2024-01-07", "2024-01-08", "2024-01-09"]
BY_DAY = {"inputs": {"shop.sales": "sold_on"}}


def days(small: SmallMesh, **how: Any) -> None:
    write_days(small.domains / "days", start=DAYS[0], **how)
    publish_sales(small, "1")
    publish_days(small)


def outdated(small: SmallMesh) -> dict[str, tuple[str, ...]]:
    snapshot = small.store.current("days")
    assert snapshot
    return outdated_partitions(small.config, snapshot)


def contents(small: SmallMesh, rows: dict[str, list[Any]], column: str = "day", daily: bool = True) -> dict[str, str]:
    path = small.root / "rows.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return dict(table_contents(small.config, "t", {path: str(rows)}, column, daily=daily))


def test_partitions_are_outdated_when_a_newer_input_is_published(small: SmallMesh) -> None:
    days(small)
    assert outdated(small) == {}
    publish_sales(small, "1")  # another snapshot, the same rows
    assert outdated(small) == {}
    publish_sales(small, "2")
    assert outdated(small) == dict.fromkeys(DAYS, ("shop.sales",))
    publish_days(small, "2024-01-06")
    assert list(outdated(small)) == [day for day in DAYS if day != "2024-01-06"]
    small.store.rollback("shop", small.store.versions("shop")[-1])
    assert list(outdated(small)) == ["2024-01-06"]


def test_of_an_input_that_is_read_by_partition_only_changed_rows_count(small: SmallMesh) -> None:
    days(small, **BY_DAY)
    publish_sales(small, "2", "2024-01-05")
    assert outdated(small) == {"2024-01-05": ("shop.sales",)}
    small.snapshot("shop", "sales", {"sold_on": ["2024-01-04", "2024-01-07"], "amount": ["7", "7"]})
    assert list(outdated(small)) == ["2024-01-05", "2024-01-06", "2024-01-07"]  # changed, deleted, new


def test_a_provider_that_is_partitioned_by_the_same_column_is_compared_by_its_files(small: SmallMesh) -> None:
    entry = {"files": {"2024-01-04.parquet": "a", "2024-01-05.parquet": "b"}}
    snapshot = Snapshot("shop", "v", Path("none"), {"partition_column": "sold_on", "ports": {"sales": entry}})
    found = port_contents(small.config, snapshot, "sales", "sold_on", daily=True)
    assert found == {"2024-01-04": "a", "2024-01-05": "b"}


def test_the_content_of_a_partition_counts_its_rows_in_any_order(small: SmallMesh) -> None:
    base = contents(small, {"day": ["2024-01-01", "2024-01-01", "2024-01-02", None], "n": [1, 2, 3, 4]})
    assert list(base) == ["2024-01-01", "2024-01-02"] or sorted(base) == ["2024-01-01", "2024-01-02"]
    same = contents(small, {"day": ["2024-01-02", "2024-01-01", "2024-01-01"], "n": [3, 2, 1]})
    assert same == base
    twice = contents(small, {"day": ["2024-01-01", "2024-01-01", "2024-01-01", "2024-01-02"], "n": [1, 2, 2, 3]})
    assert (twice["2024-01-01"] != base["2024-01-01"], twice["2024-01-02"]) == (True, base["2024-01-02"])
    typed = contents(small, {"day": ["2024-01-02"], "n": [3.0]})
    assert typed["2024-01-02"] != base["2024-01-02"]


def test_times_belong_to_their_day(small: SmallMesh) -> None:
    moments = pl.Series(["2024-01-02 23:59:59", "2024-01-03 00:00:00"]).str.to_datetime()
    assert sorted(contents(small, {"day": moments.to_list(), "n": [1, 2]})) == ["2024-01-02", "2024-01-03"]
    assert sorted(contents(small, {"day": ["north", "south"], "n": [1, 2]}, daily=False)) == ["north", "south"]


def test_a_column_that_an_input_lacks_is_named(small: SmallMesh) -> None:
    with pytest.raises(KitError, match="t has no column 'week', by which a partition is to read it; it has: day, n"):
        contents(small, {"day": ["2024-01-02"], "n": [1]}, "week")


def test_contents_are_computed_once(small: SmallMesh) -> None:
    rows: dict[str, list[Any]] = {"day": ["2024-01-02"], "n": [1]}
    first = contents(small, rows)
    (small.root / "rows.parquet").unlink()
    assert table_contents(small.config, "t", {small.root / "rows.parquet": str(rows)}, "day", daily=True) == first


def test_records_survive_in_a_manifest() -> None:
    sales, raw = PartitionInput("v1", "c1"), PartitionInput("", "d1", "sold_on")
    records = {
        "a": PartitionRecord("f1", "k", {"shop.sales": sales}),
        "b": PartitionRecord("f2", "k", {"shop.sales": sales}),
        "c": PartitionRecord("f3", "k", {"shop.sales": sales, "raw.feed": raw}),
    }
    entries = partitions_to_json(records)
    assert [group["keys"] for group in entries["partition_inputs"]] == [["a", "b"], ["c"]]
    assert read_partitions(entries) == records


def test_partitions_of_an_earlier_kit_count_as_made_from_the_inputs_of_their_snapshot(small: SmallMesh) -> None:
    days(small)
    snapshot = small.store.current("days")
    assert snapshot
    old = {name: entry for name, entry in snapshot.manifest.items() if name != "partition_inputs"}
    before = Snapshot("days", snapshot.version, snapshot.folder, old)
    assert {record.code for record in read_partitions(old).values()} == {""}
    assert outdated_partitions(small.config, before) == {}
    publish_sales(small, "2")
    assert list(outdated_partitions(small.config, before)) == DAYS


def test_an_input_that_cannot_be_read_counts_as_unchanged(small: SmallMesh) -> None:
    days(small)
    publish_sales(small, "2")
    (small.store.folder("shop") / "current.json").write_text("{")
    assert outdated(small) == {}
