import shutil
import time
from pathlib import Path

import pytest

from kit.governance.verification import Verification
from tests.support.findings import pairs
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def shop(small: SmallMesh) -> SmallMesh:
    small.publish("shop")
    return small


def found(small: SmallMesh, *, every: bool = False, until: float | None = None) -> list[str]:
    verification = Verification(small.config, until)
    verification.product("shop", every=every)
    verification.storage()
    return [text for _, text in pairs(verification.findings)]


def flip(path: Path) -> None:
    """Change one byte; size and times stay as they are."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def test_a_storage_in_order_has_no_findings(shop: SmallMesh) -> None:
    verification = Verification(shop.config)
    verification.product("shop", every=True)
    verification.product("plan")
    assert (verification.findings, verification.files) == ([], 3)  # two ports, one source


def test_one_flipped_bit_is_found_by_its_sum_alone(shop: SmallMesh) -> None:
    snapshot = shop.store.current("shop")
    assert snapshot
    flip(snapshot.paths("totals")[0])
    (text,) = found(shop)
    assert text == (
        f"snapshot {snapshot.version} is damaged: the content of totals/data.parquet has changed since it was published; build "
        "again with `kit run shop --force`, or roll back with `kit rollback shop VERSION`"
    )
    assert found(shop, until=time.monotonic() - 1) == []  # out of time: sizes alone


def test_an_old_snapshot_is_compared_on_request(shop: SmallMesh) -> None:
    old = shop.store.current("shop")
    assert old
    shop.publish("shop", force=True)
    flip(old.paths("totals")[0])
    assert found(shop) == []
    (text,) = found(shop, every=True)
    assert f"snapshot {old.version} is damaged" in text
    (old.folder / "manifest.json").unlink()
    (text,) = found(shop, every=True)
    assert text.endswith("is a snapshot without a manifest; bring it back from a copy, or delete the folder")


def test_files_that_were_never_published_are_named(shop: SmallMesh) -> None:
    snapshot = shop.store.current("shop")
    assert snapshot
    shutil.copyfile(snapshot.paths("sales")[0], snapshot.folder / "sales" / "more.parquet")
    (text,) = found(shop)
    assert text.endswith("sales/more.parquet: was not published, and tools that read the folder read it; delete it")


def test_raw_data_index_and_databases_are_compared(shop: SmallMesh) -> None:
    (raw,) = (shop.config.storage / "raw/shop/sales").glob("*.parquet")
    flip(raw)
    (shop.config.storage / "index.json").write_text("{")
    history = shop.config.dagster_home / "history"
    history.mkdir(parents=True)
    (history / "runs.db").write_text("garbage")
    texts = [text.partition("state/")[2] for text in found(shop)]
    assert texts == [
        f"raw/shop/sales/{raw.name}: this raw data is missing, or has changed since it was landed; `kit run shop` lands it "
        "again",
        "index.json: is cut off or overwritten; run `kit doctor --fix`",
        "dagster/history/runs.db: its history is no SQLite file; builds fail until it is set aside; run `kit doctor --fix`",
    ]
