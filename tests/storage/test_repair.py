import json
from pathlib import Path

import pytest

from kit.core.errors import Damaged, Newer
from kit.storage.repair import restore_pointer
from tests.support.small_mesh import SmallMesh

ROWS = {"item": ["tea", "cake"], "amount": ["1.00", "2.00"]}


@pytest.fixture
def versions(small: SmallMesh) -> list[str]:
    return [small.snapshot("shop", "totals", ROWS, fingerprint=f"f{number}") for number in range(3)]


def damage(path: Path, content: str = "{") -> None:
    path.chmod(0o644)
    path.write_text(content)


def test_a_pointer_in_order_is_left_alone(small: SmallMesh, versions: list[str]) -> None:
    before = (small.store.folder("shop") / "current.json").read_bytes()
    assert restore_pointer(small.store, "shop") is None
    assert (small.store.folder("shop") / "current.json").read_bytes() == before
    assert restore_pointer(small.store, "plan") is None


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "null", '{"product": "plan", "version": "v"}', None])
def test_a_damaged_pointer_names_the_newest_whole_snapshot_again(
    small: SmallMesh, versions: list[str], content: str | None
) -> None:
    path = small.store.folder("shop") / "current.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(Damaged, match="restore it with `kit doctor --fix`"):
        small.store.current("shop")
    assert restore_pointer(small.store, "shop") == versions[-1]
    pointer = small.store.read_pointer("shop")
    assert pointer
    assert (pointer.version, pointer.by, pointer.rejected) == (versions[-1], "publish", ())
    aside = [item.read_text() for item in path.parent.glob(".current.json.damaged-*")]
    assert aside == ([] if content is None else [content])


def test_a_snapshot_that_is_not_whole_is_passed_over(small: SmallMesh, versions: list[str]) -> None:
    folder = small.store.folder("shop")
    damage(folder / versions[2] / "totals" / "data.parquet")
    damage(folder / "current.json")
    assert restore_pointer(small.store, "shop", "ann") == versions[1]
    pointer = small.store.read_pointer("shop")
    assert pointer
    assert pointer.rejected == ()  # the next build makes it again
    for version in versions[:2]:
        damage(folder / version / "manifest.json")
    damage(folder / "current.json")
    with pytest.raises(Damaged, match=r"^no snapshot of 'shop' is whole; build one with `kit run shop --force`$"):
        restore_pointer(small.store, "shop")


def test_what_was_rolled_back_from_does_not_come_back(small: SmallMesh, versions: list[str]) -> None:
    small.store.rollback("shop", versions[0])
    damage(small.store.folder("shop") / "current.json")
    assert restore_pointer(small.store, "shop", "ann") == versions[0]
    pointer = small.store.read_pointer("shop")
    assert pointer
    assert pointer.rolled_back
    assert (pointer.rolled_back.user, pointer.rejected) == ("ann", ("f1", "f2"))


def test_a_pointer_to_a_snapshot_that_is_gone_moves_to_the_newest_whole_one(small: SmallMesh, versions: list[str]) -> None:
    folder = small.store.folder("shop")
    (folder / versions[2]).rename(folder / ".elsewhere")
    assert restore_pointer(small.store, "shop") == versions[1]
    pointer = small.store.read_pointer("shop")
    assert pointer
    assert pointer.rolled_back
    assert (pointer.rolled_back.source, pointer.rejected) == (versions[2], ())


def test_a_pointer_of_a_newer_kit_is_not_touched(small: SmallMesh, versions: list[str]) -> None:
    path = small.store.folder("shop") / "current.json"
    damage(path, json.dumps({**json.loads(path.read_text()), "form": 2}))
    with pytest.raises(Newer, match="update the kit of this clone"):
        restore_pointer(small.store, "shop")
