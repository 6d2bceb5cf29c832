import pytest

from kit.core.errors import KitError
from kit.storage.retention import prune, retain
from kit.storage.runs import Runs
from kit.storage.snapshot import Pruned
from tests.support.shop import SALES
from tests.support.small_mesh import SmallMesh


def test_prune_removes_raw_data_and_runs_that_no_snapshot_needs(small: SmallMesh) -> None:
    for number in range(3):
        small.feed_rows([row.replace("1,tea,1.50,", f"1,tea,{number}.70,") if row.startswith("1,") else row for row in SALES])
        small.publish("shop")
    raw = small.config.storage / "raw/shop/sales"
    runs = Runs(small.config.storage)
    assert (len(list(raw.glob("*.parquet"))), len(runs.ids("shop")), len(small.store.versions("shop"))) == (3, 3, 3)
    prune(small.context, keep=1)
    assert (len(list(raw.glob("*.parquet"))), len(runs.ids("shop")), len(small.store.versions("shop"))) == (1, 1, 1)
    assert small.build("shop").status == "up to date"


def test_the_setting_keeps_snapshots_with_their_raw_data_for_readers(small: SmallMesh) -> None:
    small.replace("pyproject.toml", "reader_grace_minutes = 0\n", "keep_snapshots = 1\n")
    small.publish("shop")
    small.feed_rows(SALES[:-1])
    small.publish("shop")
    assert [item.kept_because for item in prune(small.context, keep=1)["shop"].snapshots] == [
        "it was current within the last 15 minutes"
    ]
    raw = small.config.storage / "raw/shop/sales"
    assert (len(small.store.versions("shop")), len(list(raw.glob("*.parquet")))) == (2, 2)


def test_prune_leaves_a_product_at_work_alone(small: SmallMesh) -> None:
    small.publish("shop")
    small.publish("shop", force=True)
    with small.store.build_lock("shop"):
        result = prune(small.context, keep=1)
    assert [item.kept_because for item in result["shop"].snapshots] == ["the product is being built"]


def test_prune_passes_over_products_without_snapshots_and_refuses_to_keep_none(small: SmallMesh) -> None:
    assert prune(small.context, keep=1) == {}
    small.publish("shop")
    assert prune(small.context, keep=1) == {"shop": Pruned()}
    with pytest.raises(KitError, match="cannot keep 0 snapshots; keep at least 1"):
        prune(small.context, keep=0)


def test_the_settings_limit_runs_snapshots_and_raw_data_after_each_build(small: SmallMesh) -> None:
    small.replace("pyproject.toml", "[tool.kit]\n", "[tool.kit]\nkeep_runs = 2\n")
    for number in range(4):
        small.feed_rows([row.replace("1,tea,1.50,", f"1,tea,{number}.70,") if row.startswith("1,") else row for row in SALES])
        small.publish("shop", force=True)
    runs, raw = Runs(small.config.storage), small.config.storage / "raw/shop/sales"
    (raw / ".123.parquet").touch()  # of a build that was killed
    assert (len(runs.ids("shop")), len(small.store.versions("shop"))) == (2, 4)
    small.replace("pyproject.toml", "keep_runs = 2\n", "keep_runs = 2\nkeep_snapshots = 1\n")
    assert small.build("shop").status == "up to date"
    assert (len(small.store.versions("shop")), sorted(path.name[0] for path in raw.iterdir()).count(".")) == (1, 0)
    # That of the snapshot, and as many as runs for builds that failed.
    assert len(list(raw.glob("[!.]*.parquet"))) == len(list(raw.glob("*.sha256"))) == 3


def test_what_killed_processes_left_half_written_is_removed(small: SmallMesh) -> None:
    small.publish("shop")
    left = [small.store.folder("shop") / ".current.json.4711", small.config.storage / ".index.json.4711"]
    for path in left:
        path.touch()
    small.build("shop")
    assert [path for path in left if path.exists()] == []
    assert retain(small.config, "shop") is False


def test_a_broken_product_is_pruned_and_a_look_deletes_nothing(small: SmallMesh) -> None:
    versions = [small.snapshot("shop", "sales", {"item": [item], "amount": ["1.50"]}) for item in ("tea", "cake")]
    (small.domains / "shop/product.odps.yaml").write_text("nonsense: [")
    assert [item.name for item in small.mesh.broken] == ["shop"]
    looked = prune(small.context, keep=1, dry_run=True)["shop"]
    assert (looked.deleted, len(small.store.versions("shop"))) == (versions[:1], 2)
    assert prune(small.context, keep=1) == {"shop": looked}
    assert small.store.versions("shop") == versions[1:]


def test_what_a_killed_build_left_goes_with_the_next_prune(small: SmallMesh) -> None:
    small.snapshot("shop", "sales", {"item": ["tea"], "amount": ["1.50"]})
    left = [
        small.store.folder("shop") / ".staging-1/sales/data.parquet",
        small.config.storage / "runs/shop/1/raw/sales.parquet",
    ]
    for path in (*left, small.config.storage / "runs/shop/1/running"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    prune(small.context, keep=5, dry_run=True)
    assert [path.exists() for path in left] == [True, True]
    prune(small.context, keep=5)
    assert [path.exists() for path in left] == [False, False]
    assert [record.status for record in Runs(small.config.storage).history("shop")] == ["canceled"]
