import importlib.metadata
import shutil
from collections import namedtuple
from collections.abc import Callable

import pytest

from kit.core.errors import KitError
from kit.governance.doctor import examine
from kit.mesh.context import Context
from tests.support.small_mesh import SmallMesh

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)


def wrong(load: Callable[[], Context]) -> list[tuple[str, str, str]]:
    """The subject, the problem and the remedy of each finding that is not in order."""
    return [(item.product, item.message, item.fix) for item in examine(load) if item.severity != "info"]


def wrong_in(small: SmallMesh) -> list[tuple[str, str, str]]:
    return wrong(lambda: Context(small.config))


def test_a_sound_mesh_is_in_order_part_by_part(small: SmallMesh) -> None:
    found = examine(lambda: Context(small.config))
    assert {item.severity for item in found} == {"info"}
    assert [item.product for item in found] == [
        "Python", "packages", "git", "mesh", "storage", "disk", "notebook kernel", "domains",
    ]  # fmt: skip
    assert found[-1].message == "shop, plan"


def test_without_a_mesh_the_machine_is_examined_alone() -> None:
    def load() -> Context:
        raise KitError("no data mesh found in /x or above it")

    assert [(item.product, item.severity) for item in examine(load)] == [
        ("Python", "info"), ("packages", "info"), ("git", "info"), ("mesh", "error"),
    ]  # fmt: skip
    assert wrong(load) == [("mesh", "no data mesh found in /x or above it", "")]


def test_packages_that_are_missing_or_of_another_version_are_named(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["rich>=1000", "no-such-package>=1", "duckdb>=1", "absent>=1; extra == 'demo'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: wanted)
    rich = importlib.metadata.version("rich")
    problem = f"rich is {rich}, wanted >=1000; no-such-package is missing"
    assert wrong_in(small) == [("packages", problem, "run `make install`")]


def test_git_and_space_on_the_disk_are_needed(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(9e9, 8e9, 1e9))
    assert wrong_in(small) == [
        ("git", "not found", "install git; snapshots note its commit"),
        ("disk", "1 GB free", "free at least 2 GB, for instance with `kit prune --keep 1`"),
    ]


def test_a_storage_that_cannot_be_written_is_named_and_its_disk_is_not_measured(small: SmallMesh) -> None:
    (small.root / "state").write_text("a file in its place")
    fix = "make the folder writable, or set storage in [tool.kit]"
    assert wrong_in(small) == [("storage", f"{small.root}/state: File exists", fix)]
    assert "disk" not in [item.product for item in examine(lambda: Context(small.config))]


def test_a_domain_with_findings_is_not_in_order(small: SmallMesh) -> None:
    (small.domains / "plan/contracts/lost.odcs.yaml").write_text("{}")
    found = {item.product: item for item in examine(lambda: Context(small.config))}
    assert found["domains"].message == "shop"
    assert (found["domain plan"].message, found["domain plan"].fix) == (
        "belongs to nothing in product.odps.yaml", "declare it there or delete the file",
    )  # fmt: skip


ROWS = {"item": ["tea", "cake"], "amount": ["1.00", "2.00"]}


def test_a_pointer_to_a_snapshot_that_is_gone_is_found(small: SmallMesh) -> None:
    version = small.snapshot("shop", "totals", ROWS)
    shutil.rmtree(small.store.snapshot("shop", version).folder)
    ((name, problem, fix),) = wrong_in(small)
    assert (name, problem) == ("snapshot shop", "current.json leads nowhere")
    assert fix == (
        f"the current snapshot {version} of 'shop' is missing from {small.store.folder('shop')}; "
        "roll back with `kit rollback shop VERSION` or build again with `kit run shop --force`"
    )


def test_files_of_a_snapshot_that_are_missing_are_found(small: SmallMesh) -> None:
    version = small.snapshot("shop", "totals", ROWS)
    (lost,) = small.store.snapshot("shop", version).files("totals")
    lost.unlink()
    fix = "build it anew with `kit run shop --force`"
    assert wrong_in(small) == [("snapshot shop", f"1 files are missing, first {lost}", fix)]


def test_snapshots_of_a_domain_that_is_gone_are_found(small: SmallMesh) -> None:
    small.snapshot("gone", "totals", ROWS)
    fix = f"delete {small.store.folder('gone')} when nobody reads it any more, or bring back domains/gone"
    assert wrong_in(small) == [("snapshots of gone", "there is no such domain", fix)]
