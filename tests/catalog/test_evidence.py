import polars as pl
import pytest

import kit
from kit.core.errors import KitError
from kit.storage import index
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def mesh(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> SmallMesh:
    monkeypatch.chdir(small.root)
    small.publish("shop")
    return small


def test_the_checks_of_a_snapshot_are_a_frame(mesh: SmallMesh) -> None:
    checks = kit.open()["shop.totals"].checks()
    assert checks.columns == ["table", "rule", "verdict", "origin", "observed", "note"]
    assert set(checks["table"]) >= {"raw.sales", "sales", "totals"}
    assert set(checks["verdict"]) == {"passed"}
    with mesh.store.open("shop") as snapshot:
        assert checks.height == len(snapshot.manifest["checks"])


def test_the_snapshots_of_a_port_are_a_frame_the_newest_first(mesh: SmallMesh) -> None:
    first = mesh.store.read_pointer("shop")
    assert first is not None
    second = mesh.publish("shop", force=True)
    index.write(mesh.context)
    snapshots = kit.open()["shop.totals"].snapshots()
    assert snapshots.select("version", "rows").rows() == [(second, 2), (first.version, 2)]


def test_the_origins_of_a_port_go_back_to_its_raw_files(mesh: SmallMesh) -> None:
    version = mesh.publish("plan")
    with mesh.store.open("shop") as shop:
        read, digest = shop.version, shop.manifest["sources"]["sales"]["digest"]
    assert kit.open()["plan.forecast"].origins().rows() == [
        ("plan.forecast", version, ["shop.totals"]),
        ("shop.totals", read, ["shop.raw.sales"]),
        ("shop.raw.sales", digest, []),
    ]


def test_a_frame_is_judged_by_the_contract_and_nothing_is_published(mesh: SmallMesh) -> None:
    entry = kit.open()["shop.sales"]
    sales = entry.read()
    assert entry.check(sales).passed
    verdict = entry.check(pl.concat([sales, sales.head(1)]))
    assert not verdict.passed
    assert "sale_id is unique" in [check.rule for check in verdict.checks or () if check.blocks]
    assert repr(verdict).startswith("shop.sales: 31 rows, ")
    with pytest.raises(KitError, match=r"'shop.sales' breaks its contract: column 'amount'"):
        entry.check(sales.drop("amount"))
    assert len(mesh.store.versions("shop")) == 1
