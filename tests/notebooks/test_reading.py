import polars as pl
import pytest

import kit
from kit.core.errors import Damaged, NotPublished, UnknownName
from kit.storage import snapshot_lock
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def mesh(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> SmallMesh:
    monkeypatch.chdir(small.root)
    monkeypatch.setattr(snapshot_lock, "_held", {})
    yield small  # type: ignore[misc]
    for lease in snapshot_lock._held.values():
        lease.close()


def test_read_gives_the_current_snapshot(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    frame = kit.read("shop.totals")
    assert frame.schema == {"item": pl.String, "amount": pl.Decimal(18, 2)}
    assert frame["item"].to_list() == ["cake", "tea"]


def test_an_older_version_can_be_read(mesh: SmallMesh) -> None:
    first = mesh.publish("shop")
    mesh.replace("feed/sales.csv", "3,cake,3.50,", "3,cake,4.50,")
    mesh.publish("shop")
    assert [float(kit.read("shop.totals", version)["amount"][0]) for version in (first, None)] == [170.0, 171.0]


def test_a_scan_holds_its_snapshot_until_the_process_ends(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    frame = kit.scan("shop.totals")
    mesh.publish("shop", force=True)
    assert [item.kept_because for item in mesh.store.prune("shop", 1)] == ["it is being read"]
    assert frame.collect().height == 2


def test_a_snapshot_scanned_again_is_held_once(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    for _ in range(3):
        kit.scan("shop.totals")
    assert [product for product, _ in snapshot_lock._held] == ["shop"]


def test_a_broken_product_still_serves_its_last_snapshot(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    (mesh.domains / "shop/product.odps.yaml").write_text("broken: [")
    assert kit.read("shop.totals").height == 2


@pytest.mark.parametrize(
    ("port", "kind", "message"),
    [
        ("shop.totals", NotPublished, "'shop' has no published snapshot yet; build it with `kit run shop`"),
        ("shop.total", UnknownName, "'shop' has no port 'total'; there are: shop.sales, shop.totals"),
        ("shops.totals", UnknownName, "there is no data product 'shops'; there are: plan, shop"),
        ("totals", UnknownName, "'totals' is not PRODUCT.PORT; there are: plan.forecast, shop.sales, shop.totals"),
    ],
)
def test_what_cannot_be_read_is_said(mesh: SmallMesh, port: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as error:
        kit.read(port)
    assert str(error.value) == message


def test_a_domain_reads_by_hand_the_version_it_declares(mesh: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh.two_majors()
    mesh.publish("shop")
    monkeypatch.chdir(mesh.domains / "plan/notebooks")
    assert kit.read("shop.totals").columns == kit.scan("shop.totals").collect_schema().names() == ["item", "amount"]
    monkeypatch.chdir(mesh.root)
    assert kit.read("shop.totals").columns == ["item", "value"]


def test_damaged_files_are_named(mesh: SmallMesh) -> None:
    version = mesh.publish("shop")
    (path,) = (mesh.store.folder("shop") / version / "totals").glob("*.parquet")
    content = bytearray(path.read_bytes())
    content[-10] ^= 1  # in the footer, which polars reads
    path.chmod(0o644)
    path.write_bytes(content)
    problem = f"^snapshot {version} of 'shop' is damaged: the content of totals/data.parquet has changed"
    with pytest.raises(Damaged, match=problem):
        kit.read("shop.totals", verify=True)
    path.write_bytes(content[:-4])
    for read in (kit.read, kit.scan):
        with pytest.raises(Damaged, match=f"^snapshot {version} of 'shop' is damaged: "):
            read("shop.totals")
    path.write_bytes(b"\0" * len(content))
    with pytest.raises(Damaged, match=problem):
        kit.read("shop.totals")  # polars cannot read it
    assert kit.read("shop.sales", verify=True).height == 30
