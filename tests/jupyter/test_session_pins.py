import shutil
from contextlib import closing
from pathlib import Path

import pytest

from kit.core.errors import KitError, UnknownName
from kit.jupyter.session_pins import BuildPins, PinnedSnapshot, SessionPins
from kit.notebooks.asset import Inputs
from tests.support.small_mesh import SmallMesh


def publish_again(small: SmallMesh) -> str:
    """A second snapshot of `shop`, with the same data as the first."""
    current = small.store.current("shop")
    assert current is not None
    ports = current.manifest["ports"]
    staging = small.store.stage("shop", "r", list(ports))
    for port in ports:
        for path in current.files(port):
            shutil.copy(path, staging / port)
    same = {key: value for key, value in current.manifest.items() if key not in ("product", "version", "parent", "created_at")}
    return small.store.publish("shop", staging, same, parent=current.version).version


def test_a_product_is_pinned_by_its_first_question(small: SmallMesh) -> None:
    first = small.publish("shop")
    pins = SessionPins(small.config)
    assert pins.list() == []
    assert pins.files("plan.forecast") is pins.files("nobody.x") is None
    assert pins.files("shop.nothing") is None
    assert pins.list() == [PinnedSnapshot("shop", first, first)]
    second = publish_again(small)
    assert [path.parts[-3] for path in pins.files("shop.totals") or ()] == [first]
    assert pins.list() == [PinnedSnapshot("shop", first, second)]
    assert [(item.version, item.kept_because) for item in small.store.prune("shop", 1)] == [(first, "it is being read")]
    pins.refresh()
    assert pins.list() == [PinnedSnapshot("shop", second, second)]
    assert [item.kept_because for item in small.store.prune("shop", 1)] == [None]
    pins.close()
    assert pins.list() == []


def test_a_snapshot_is_pinned_by_name(small: SmallMesh) -> None:
    first = small.publish("shop")
    second = publish_again(small)
    pins = SessionPins(small.config)
    pins.pin()
    assert pins.list() == [PinnedSnapshot("shop", second, second)]
    pins.pin("shop", first)
    assert pins.list() == [PinnedSnapshot("shop", first, second)]
    pins.refresh("shop")
    assert pins.list() == [PinnedSnapshot("shop", second, second)]
    for product, version, named in [
        ("shp", None, ["'shp'", "did you mean shop?"]),
        ("plan", None, ["'plan'", ": shop"]),
        ("shop", "nope", ["'shop'", "'nope'", second, first]),
    ]:
        with pytest.raises(UnknownName) as error:
            pins.pin(product, version)
        assert [text for text in named if text not in str(error.value)] == []
    pins.close()


def test_in_a_domain_folder_inputs_are_served_in_the_declared_version(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.two_majors()
    small.publish("shop")
    for folder, served in ((small.domains / "plan/notebooks", "totals_v1"), (small.root, "totals")):
        monkeypatch.chdir(folder)
        with closing(SessionPins(small.config)) as pins:
            assert [path.parent.name for path in pins.files("shop.totals") or ()] == [served]


def test_a_build_pins_its_inputs_itself() -> None:
    pins = BuildPins(Inputs({"shop.totals": (Path("a.parquet"),)}, {"shop.totals": "v1"}))
    assert pins.files("shop.totals") == (Path("a.parquet"),)
    assert pins.files("shop.sales") is None
    assert pins.describe_unknown("shop.sales") == (
        "'shop.sales' is no declared input; there are: shop.totals. Declare it in product.odps.yaml"
    )
    assert pins.list() == [PinnedSnapshot("shop.totals", "v1", None)]
    for move in (pins.pin, pins.refresh):
        with pytest.raises(KitError, match="a build pins its inputs itself; delete the line"):
            move()
