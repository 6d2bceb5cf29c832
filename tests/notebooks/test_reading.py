from pathlib import Path

import polars as pl
import pytest

import kit
from kit.core.errors import Damaged, NotPublished, UnknownName
from kit.notebooks.reading import files
from kit.storage import snapshot_lock
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def mesh(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> SmallMesh:
    monkeypatch.chdir(small.root)
    monkeypatch.setattr(snapshot_lock, "_held", set())
    return small


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


def prune(mesh: SmallMesh) -> list[str | None]:
    """Why each old snapshot of `shop` was kept; None for one that was removed."""
    return [item.kept_because for item in mesh.store.prune("shop", 1)]


def test_a_snapshot_is_held_while_a_frame_over_it_lives(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    frame = kit.scan("shop.totals")
    derived = pl.LazyFrame({"item": ["tea"]}).join(frame.filter(pl.col("amount") > 0), on="item").select("amount")
    mesh.publish("shop", force=True)
    del frame
    assert prune(mesh) == ["it is being read"]
    assert derived.collect().height == 1
    del derived
    assert prune(mesh) == [None]


def test_a_collected_frame_holds_nothing(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    table = kit.scan("shop.totals").collect()
    mesh.publish("shop", force=True)
    assert (prune(mesh), table.height) == ([None], 2)


def test_paths_hold_their_snapshot_until_the_process_ends(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    files("shop.totals")
    mesh.publish("shop", force=True)
    assert prune(mesh) == ["it is being read"]
    for lease in snapshot_lock._held:
        lease.close()


def test_many_scans_of_a_snapshot_open_one_file(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    frames = [kit.scan("shop.totals")]
    before = len(list(Path("/proc/self/fd").iterdir()))
    frames += [kit.scan("shop.totals") for _ in range(20)]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_scan_still_reads_only_what_a_query_needs(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    plan = kit.scan("shop.totals").filter(pl.col("item") == "tea").select("item").explain()
    assert "PROJECT 1/2 COLUMNS" in plan
    assert "SELECTION:" in plan
    for engine in ("in-memory", "streaming"):
        assert kit.scan("shop.totals").select(pl.len()).collect(engine=engine).item() == 2


def test_a_broken_product_still_serves_its_last_snapshot(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    (mesh.domains / "shop/product.odps.yaml").write_text("broken: [")
    assert kit.read("shop.totals").height == 2


@pytest.mark.parametrize(
    ("port", "kind", "message"),
    [
        ("shop.totals", NotPublished, "'shop' has no published snapshot yet; build it with `kit run shop`"),
        ("shop.total", UnknownName, "'shop' has no port 'total'; did you mean shop.totals? there are: shop.sales, shop.totals"),
        ("shops.totals", UnknownName, "there is no data product 'shops'; did you mean shop? there are: plan, shop"),
        (
            "totals",
            UnknownName,
            "'totals' is not PRODUCT.PORT; did you mean shop.totals? there are: plan.forecast, shop.sales, shop.totals",
        ),
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
