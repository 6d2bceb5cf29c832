import contextlib
import errno
import gc
import json
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit.core.errors import Busy, Damaged, KitError, NotPublished, PublishConflict, UnknownName
from kit.core.yaml import read_yaml
from kit.storage import store as module
from kit.storage.runs import Runs
from kit.storage.snapshot import Snapshot
from kit.storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "storage")


def publish(store: Store, generation: int, parent: str | None, ports: tuple[str, ...] = ("a", "b")) -> Snapshot:
    with store.build_lock("shop"):
        staging = store.stage("shop", "r", list(ports))
        for port in ports:
            pl.DataFrame({"generation": [generation]}).write_parquet(staging / port / "data.parquet")
        return store.publish("shop", staging, manifest(generation, ports), parent=parent)


def manifest(generation: int, ports: tuple[str, ...]) -> dict[str, Any]:
    return {
        "run_id": f"run{generation}",
        "fingerprint": f"fingerprint{generation}",
        "inputs": {},
        "ports": {port: {"rows": 1, "contract_version": "1.0.0"} for port in ports},
    }


def generations(snapshot: Snapshot) -> set[int]:
    return {pl.read_parquet(snapshot.files(port))["generation"][0] for port in snapshot.manifest["ports"]}


def test_an_unpublished_product_has_no_snapshot(store: Store) -> None:
    assert store.current("shop") is None
    assert store.read_pointer("shop") is None
    assert store.versions("shop") == []
    with pytest.raises(NotPublished) as error:
        store.open("shop")
    assert str(error.value) == "'shop' has no published snapshot yet; build it with `kit run shop`"


def test_publish_moves_all_ports_at_once(store: Store) -> None:
    first = publish(store, 1, None)
    second = publish(store, 2, first.version)
    current = store.current("shop")
    assert current == second
    assert generations(current) == {2}
    assert generations(store.snapshot("shop", first.version)) == {1}
    assert second.manifest["parent"] == first.version


def test_the_manifest_has_a_checksum_for_every_file_and_the_pointer_repeats_it(store: Store) -> None:
    import hashlib

    snapshot = publish(store, 1, None)
    for port in ("a", "b"):
        data = (snapshot.folder / port / "data.parquet").read_bytes()
        assert snapshot.port(port)["files"] == {"data.parquet": hashlib.sha256(data).hexdigest()}
        assert snapshot.port(port)["bytes"] == len(data)
    pointer = json.loads((store.folder("shop") / "current.json").read_text())
    assert pointer["version"] == snapshot.version
    assert pointer["ports"]["a"] == {
        "path": f"{snapshot.version}/a",
        "rows": 1,
        "contract_version": "1.0.0",
        "files": snapshot.port("a")["files"],
    }


def test_a_late_build_cannot_move_readers_back(store: Store) -> None:
    first = publish(store, 1, None)
    second = publish(store, 2, first.version)
    with pytest.raises(PublishConflict) as error:
        publish(store, 3, first.version)
    assert str(error.value) == (
        f"'shop' moved from snapshot {first.version} to {second.version} while this build ran; nothing was published. "
        "Run `kit run shop` again."
    )
    assert store.current("shop") == second


def test_only_one_process_builds_a_product(store: Store) -> None:
    import os

    with store.build_lock("shop"), pytest.raises(Busy) as error, store.build_lock("shop"):
        pass
    assert (
        str(error.value)
        == f"'shop' is being built by process {os.getpid()}; wait for it with `kit run --wait`, or stop it and run again"
    )


def test_rollback_and_forth(store: Store) -> None:
    first = publish(store, 1, None)
    second = publish(store, 2, first.version)
    store.rollback("shop", first.version)
    pointer = store.read_pointer("shop")
    assert pointer is not None
    assert (pointer.version, pointer.by, pointer.rejected) == (first.version, "rollback", ("fingerprint2",))
    with store.open("shop") as snapshot:
        assert generations(snapshot) == {1}
    store.rollback("shop", second.version)
    with store.open("shop") as snapshot:
        assert generations(snapshot) == {2}


def test_rollback_refuses_what_it_cannot_serve(store: Store) -> None:
    first = publish(store, 1, None)
    second = publish(store, 2, first.version)
    with pytest.raises(UnknownName) as unknown:
        store.rollback("shop", "last")
    there = ", ".join(sorted([first.version, second.version], reverse=True))
    assert str(unknown.value) == (
        "'shop' has no snapshot 'last'; write a version or its beginning, a day such as 2024-05-01, yesterday, or -1 for the "
        f"one before the current; there are: {there}"
    )
    with pytest.raises(KitError) as current:
        store.rollback("shop", second.version)
    assert str(current.value) == f"'shop' is already at snapshot {second.version}; `kit history` lists the others"
    (first.folder / "a" / "data.parquet").write_bytes(b"flipped")
    with pytest.raises(KitError) as damaged:
        store.rollback("shop", first.version)
    assert str(damaged.value) == (
        f"snapshot {first.version} of 'shop' is damaged: the content of a/data.parquet has changed since it was published; "
        "choose another one"
    )
    assert store.current("shop") == second


@pytest.mark.parametrize("name", ["..", ".", ".staging", "../other", ""])
def test_a_version_is_never_a_path(store: Store, name: str) -> None:
    publish(store, 1, None)
    with pytest.raises(UnknownName):
        store.snapshot("shop", name)


def test_prune_keeps_the_newest_the_current_and_those_being_read(store: Store) -> None:
    versions: list[str] = []
    for generation in range(5):
        versions.append(publish(store, generation, versions[-1] if versions else None).version)
    store.rollback("shop", versions[0])
    order = store.versions("shop")
    beyond = [version for version in order[1:] if version != versions[0]]
    held = store.open("shop", beyond[0])
    result = {item.version: item.kept_because for item in store.prune("shop", 1)}
    assert result == {
        version: "it is current" if version == versions[0] else "it is being read" if version == beyond[0] else None
        for version in order[1:]
    }
    assert set(store.versions("shop")) == {order[0], versions[0], beyond[0]}
    held.close()
    assert [item.kept_because for item in store.prune("shop", 1) if item.version == beyond[0]] == [None]


def test_prune_keeps_what_was_current_within_the_grace(store: Store) -> None:
    versions: list[str] = []
    for generation in range(4):
        versions.append(publish(store, generation, versions[-1] if versions else None).version)
    assert [item.kept_because for item in store.prune("shop", 1, timedelta(minutes=15))] == [
        "it was current within the last 15 minutes"
    ] * 3
    time.sleep(0.3)
    store.rollback("shop", versions[0])
    # Current within the last moments are the one rolled back to, and the one before it.
    result = {item.version: item.kept_because for item in store.prune("shop", 1, timedelta(seconds=0.2))}
    assert result == {versions[0]: "it is current", versions[1]: None, versions[2]: None}
    assert store.versions("shop") == [versions[3], versions[0]]
    publish(store, 5, versions[0])
    result = {item.version: item.kept_because for item in store.prune("shop", 1, timedelta(seconds=0.2))}
    assert result[versions[0]] == "it was current within the last 0 minutes"


def test_prune_keeps_at_least_one(store: Store) -> None:
    publish(store, 1, None)
    with pytest.raises(KitError) as error:
        store.prune("shop", 0)
    assert str(error.value) == "cannot keep 0 snapshots; keep at least 1"


def test_a_lost_version_folder_is_said_with_the_way_out(store: Store) -> None:
    import shutil

    snapshot = publish(store, 1, None)
    shutil.rmtree(snapshot.folder)
    with pytest.raises(KitError) as error:
        store.current("shop")
    assert str(error.value) == (
        f"the current snapshot {snapshot.version} of 'shop' is missing from {store.folder('shop')}; "
        "roll back with `kit rollback shop VERSION` or build again with `kit run shop --force`"
    )


def test_snapshots_of_one_second_are_in_order(store: Store) -> None:
    versions: list[str] = []
    for generation in range(12):
        versions.append(publish(store, generation, versions[-1] if versions else None).version)
    assert store.versions("shop") == versions[::-1]


def served(store: Store) -> str:
    version: str = read_yaml(store.folder("shop") / "catalog.yaml").data["metadata"]["snapshot_version"]
    return version


def test_the_catalog_moves_with_the_pointer(store: Store) -> None:
    first = publish(store, 1, None)
    assert served(store) == first.version
    second = publish(store, 2, first.version)
    assert served(store) == second.version
    store.rollback("shop", first.version)
    assert served(store) == first.version


def test_a_catalog_that_lags_is_mended_before_the_snapshot_it_names_is_pruned(store: Store) -> None:
    first = publish(store, 1, None)
    old = (store.folder("shop") / "catalog.yaml").read_text()
    second = publish(store, 2, first.version)
    (store.folder("shop") / "catalog.yaml").write_text(old)
    store.prune("shop", 1)
    assert store.versions("shop") == [second.version]
    assert served(store) == second.version
    (store.folder("shop") / "catalog.yaml").unlink()
    store.repair_catalog("shop")
    assert served(store) == second.version


def test_the_catalog_with_absolute_paths_of_earlier_versions_is_deleted(store: Store) -> None:
    publish(store, 1, None)
    (store.folder("shop") / "local.yaml").write_text("metadata: {snapshot_version: old}")
    store.repair_catalog("shop")
    assert sorted(path.name for path in store.folder("shop").glob("*.yaml")) == ["catalog.yaml"]


def test_mending_without_a_snapshot_makes_nothing(store: Store) -> None:
    store.repair_catalog("shop")
    assert not (store.folder("shop") / "catalog.yaml").exists()


def test_a_rollback_is_kept_with_the_pointer(store: Store) -> None:
    first = publish(store, 1, None)
    second = publish(store, 2, first.version)
    store.rollback("shop", "-1", user="ann", reason="half of the rows")
    pointer = store.read_pointer("shop")
    assert pointer and pointer.rolled_back
    kept = pointer.rolled_back
    assert (kept.version, kept.source, kept.user, kept.reason) == (first.version, second.version, "ann", "half of the rows")
    third = publish(store, 3, first.version)
    after = store.read_pointer("shop")
    assert after and (after.version, after.rolled_back, after.rollbacks) == (third.version, None, (kept,))


def test_a_snapshot_is_opened_by_any_name_of_it(store: Store) -> None:
    first = publish(store, 1, None)
    publish(store, 2, first.version)
    for name in ("-1", first.version, first.version[:-1]):
        with store.open("shop", name) as snapshot:
            assert snapshot.version == first.version


def test_two_builds_at_the_same_time_stage_apart(store: Store) -> None:
    runs = Runs(store.storage)
    with store.build_lock("shop"), runs.running("shop", "run1"):
        first = store.stage("shop", "run1", ["a"])
        (store.folder("shop") / ".build.lock").unlink()  # a person deletes it
        with store.build_lock("shop"), runs.running("shop", "run2"):
            second = store.stage("shop", "run2", ["a"])
            for number, staging in enumerate((first, second), 1):
                pl.DataFrame({"generation": [number]}).write_parquet(staging / "a" / "data.parquet")
            published = store.publish("shop", second, manifest(2, ("a",)), parent=None)
        with pytest.raises(PublishConflict):
            store.publish("shop", first, manifest(1, ("a",)), parent=None)
    assert store.current("shop") == published
    assert generations(published) == {2}


def test_what_a_killed_build_staged_is_removed(store: Store) -> None:
    with store.build_lock("shop"):
        killed = store.stage("shop", "run1", ["a"])
        store.stage("shop", "run2", ["a"])
    assert not killed.exists()


def test_a_port_without_files_is_not_published(store: Store) -> None:
    first = publish(store, 1, None)
    with store.build_lock("shop"):
        staging = store.stage("shop", "r", ["a", "b"])
        pl.DataFrame({"generation": [2]}).write_parquet(staging / "a" / "data.parquet")
        with pytest.raises(KitError) as error:
            store.publish("shop", staging, manifest(2, ("a", "b")), parent=first.version)
    assert str(error.value) == ("the build of 'shop' left no file for 'b'; nothing was published. Run `kit run shop` again.")
    assert store.current("shop") == first


def writes_of_a_publish(tmp_path: Path) -> list[str]:
    points: list[str] = []
    store = Store(tmp_path / "points")
    with store.build_lock("shop"):
        staging = store.stage("shop", "r", ["a"])
        pl.DataFrame({"generation": [0]}).write_parquet(staging / "a" / "data.parquet")
        store.publish("shop", staging, manifest(0, ("a",)), parent=None, step=points.append)
    return points


def test_a_disk_that_is_full_at_any_step_loses_nothing_and_the_next_publish_recovers(store: Store, tmp_path: Path) -> None:
    current = publish(store, 1, None, ("a",))
    points = writes_of_a_publish(tmp_path)
    for generation, point in enumerate(points, 2):

        def full(name: str, point: str = point) -> None:
            if name == point:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with store.build_lock("shop"):
            staging = store.stage("shop", f"run{generation}", ["a"])
            pl.DataFrame({"generation": [generation]}).write_parquet(staging / "a" / "data.parquet")
            with contextlib.suppress(OSError):
                store.publish("shop", staging, manifest(generation, ("a",)), parent=current.version, step=full)
        moved = points.index(point) >= points.index("current.json replaced")
        found = store.current("shop")
        assert found
        assert generations(found) == {generation} if moved else found == current, point
        found.check()
        current = publish(store, 100 + generation, found.version, ("a",))
    assert not list(store.folder("shop").glob(".staging*"))


@pytest.mark.parametrize("point", ["catalog.yaml written", "catalog.yaml synced"])
def test_a_snapshot_whose_catalog_could_not_be_written_is_published(store: Store, point: str) -> None:
    def full(name: str) -> None:
        if name == point:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with store.build_lock("shop"):
        staging = store.stage("shop", "r", ["a"])
        pl.DataFrame({"generation": [1]}).write_parquet(staging / "a" / "data.parquet")
        snapshot = store.publish("shop", staging, manifest(1, ("a",)), parent=None, step=full)
    assert store.current("shop") == snapshot
    store.repair_catalog("shop")
    assert served(store) == snapshot.version


def test_nothing_is_pruned_while_the_current_snapshot_is_damaged(store: Store) -> None:
    first = publish(store, 1, None)
    second = publish(store, 2, first.version)
    path = second.paths("a")[0]
    path.chmod(0o644)
    path.write_bytes(b"cut")
    with pytest.raises(Damaged):
        store.prune("shop", 1)
    assert store.versions("shop") == [second.version, first.version]


@pytest.mark.parametrize("change", ["cut", "gone"])
def test_files_that_have_not_their_published_size_are_not_read(store: Store, change: str) -> None:
    snapshot = publish(store, 1, None)
    path = snapshot.paths("a")[0]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-10]) if change == "cut" else path.unlink()
    with pytest.raises(Damaged) as error:
        snapshot.files("a")
    size = snapshot.port("a")["bytes"]
    problem = f"1 file of a with {size - 10} bytes, published were {size}" if change == "cut" else "a/data.parquet is missing"
    assert str(error.value) == (
        f"snapshot {snapshot.version} of 'shop' is damaged: {problem}; roll back with `kit rollback shop VERSION` or build "
        "again with `kit run shop --force`"
    )
    assert snapshot.files("b")


@contextlib.contextmanager
def owner_of(folder: Path) -> Iterator[int]:
    """A descriptor of a folder, used as its owner who is not root, whom file modes do not stop."""
    descriptor = os.open(folder, os.O_RDONLY)
    is_root = os.geteuid() == 0
    if is_root:
        for path in (folder, *folder.iterdir()):
            os.chown(path, 65534, 65534)
        gc.collect()  # semaphores of other tests are not that user's to delete
        os.seteuid(65534)
    try:
        yield descriptor
    finally:
        if is_root:
            os.seteuid(0)
        os.close(descriptor)


def test_nobody_writes_in_published_files(store: Store) -> None:
    snapshot = publish(store, 1, None)
    files = [path for path in snapshot.folder.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o444}
    assert len(files) == 3
    with owner_of(snapshot.folder / "a") as folder:
        os.close(os.open("data.parquet", os.O_RDONLY, dir_fd=folder))
        with pytest.raises(PermissionError):
            os.open("data.parquet", os.O_WRONLY, dir_fd=folder)


def test_files_of_older_snapshots_can_be_linked_and_pruned(store: Store) -> None:
    first = publish(store, 1, None)
    with store.build_lock("shop"):
        staging = store.stage("shop", "r", ["a"])
        (staging / "a/data.parquet").hardlink_to(first.folder / "a/data.parquet")
        second = store.publish("shop", staging, manifest(2, ("a",)), parent=first.version)
    assert [result.version for result in store.prune("shop", 1)] == [first.version]
    assert pl.read_parquet(second.files("a")).height == 1


def test_files_that_are_linked_from_the_last_snapshot_are_neither_read_nor_written_to_the_disk_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(store, 1, None)
    read, synced = [], []
    digest, sync = module.sha256, module.sync_path
    monkeypatch.setattr(module, "sha256", lambda path: read.append(path.parent.name) or digest(path))
    monkeypatch.setattr(module, "sync_path", lambda path: synced.append(path.name) or sync(path))
    with store.build_lock("shop"):
        staging = store.stage("shop", "r", ["a", "b"])
        os.link(first.folder / "a/data.parquet", staging / "a/data.parquet")
        pl.DataFrame({"generation": [2]}).write_parquet(staging / "b/data.parquet")
        second = store.publish("shop", staging, manifest(2, ("a", "b")), parent=first.version)
    assert read == ["b"]
    assert synced[:3] == ["a", "data.parquet", "b"]  # the folders, and the file that is new
    assert second.manifest["ports"]["a"]["files"] == first.manifest["ports"]["a"]["files"]
    assert second.manifest["ports"]["b"]["files"] != first.manifest["ports"]["b"]["files"]
    second.check()
