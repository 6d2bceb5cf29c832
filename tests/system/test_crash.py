"""What is left when a build is killed at any point, with readers at work all the while."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from kit.core.yaml import read_yaml
from kit.storage.runs import Runs
from kit.storage.store import Store
from tests.support.ending import end_with_parent
from tests.support.forked import build_until, die, forked
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh

PORTS = ["a", "b", "c"]
POINTS = [
    "staging ready",
    "publish begun",
    *(f"{port} {done}" for port in PORTS for done in ("synced", "hashed")),
    *(f"manifest.json {done}" for done in ("written", "synced", "replaced")),
    "pointer locked",
    "parent checked",
    "version renamed",
    "version synced",
    *(f"{name} {done}" for name in ("current.json", "catalog.yaml") for done in ("written", "synced", "replaced")),
    "pointer durable",
    "pointer free",
]

READ = """
    import json, sys
    from pathlib import Path
    import polars as pl
    from kit.storage.store import Store

    store, stop, reads, torn, seen = Store(Path(sys.argv[1])), Path(sys.argv[2]), 0, [], []
    while not stop.exists():
        with store.open("shop") as snapshot:
            frames = [pl.read_parquet(snapshot.files(port)) for port in ("a", "b", "c")]
        found = {(frame["generation"].n_unique(), frame["generation"][0], frame.height) for frame in frames}
        (generations, generation, height), *others = found
        if others or generations != 1 or height != 2000 + generation:
            torn.append(str(found))
        if seen and generation < seen[-1]:
            torn.append(f"from {seen[-1]} back to {generation}")
        seen.append(generation)
        reads += 1
    print(json.dumps({"reads": reads, "torn": torn}))
"""


def publish(storage: Path, generation: int, point: str = "") -> list[str]:
    """Publish three ports of `shop`, to be killed at a point; gives the points that were passed."""
    store, passed = Store(storage), []

    def step(name: str) -> None:
        passed.append(name)
        if name == point:
            die()

    with store.build_lock("shop"):
        current = store.current("shop")
        staging = store.stage("shop", "r", PORTS)
        for port in PORTS:
            rows = 2000 + generation
            pl.DataFrame({"generation": [generation] * rows}).write_parquet(staging / port / "data.parquet")
        step("staging ready")
        ports = {port: {"rows": 1, "contract_version": "1.0.0"} for port in PORTS}
        manifest = {"run_id": "r", "fingerprint": str(generation), "inputs": {}, "ports": ports}
        store.publish("shop", staging, manifest, parent=current.version if current else None, step=step)
        step("pointer free")
    return passed


@contextmanager
def readers(storage: Path, stop: Path, count: int = 2) -> Iterator[list[dict[str, object]]]:
    """Processes that read the product again and again; what they saw is in the list afterwards."""
    command = [sys.executable, "-c", textwrap.dedent(READ), str(storage), str(stop)]
    environment = {**os.environ, "POLARS_MAX_THREADS": "1"}  # they are not to starve those who write
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(count)]
    reports: list[dict[str, object]] = []
    try:
        yield reports
    finally:
        stop.touch()
        for process in processes:
            out, _ = process.communicate(timeout=HANG)
            reports.append(json.loads(out))


def test_the_points_are_those_a_publish_passes(tmp_path: Path) -> None:
    assert len(POINTS) >= 20
    assert publish(tmp_path, 1) == POINTS


@pytest.mark.slow
def test_a_publish_killed_at_any_point_tears_nothing_and_the_next_one_recovers(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    store = Store(storage)
    publish(storage, 0)
    generation = 0
    with readers(storage, tmp_path / "stop") as reports:
        for point in POINTS:
            assert forked(publish, storage, generation + 1, point) == -signal.SIGKILL, point
            moved = POINTS.index(point) >= POINTS.index("current.json replaced")
            current = store.current("shop")
            assert current is not None
            assert current.fingerprint == str(generation + moved), point
            catalog = read_yaml(store.folder("shop") / "catalog.yaml").data  # may lag, but names a snapshot that is whole
            assert catalog["metadata"]["snapshot_version"] in store.versions("shop")
            assert forked(publish, storage, generation + 2) == 0, point
            generation += 2
            current = store.current("shop")
            assert current is not None
            assert current.fingerprint == str(generation), point
            catalog = read_yaml(store.folder("shop") / "catalog.yaml").data
            assert catalog["metadata"]["snapshot_version"] == current.version
    for report in reports:
        assert report["torn"] == []
        assert int(str(report["reads"])) > len(POINTS)
    # A version that was renamed but never pointed to is whole, and goes with the next pruning.
    for snapshot in store.history("shop"):
        assert [pl.read_parquet(snapshot.files(port))["generation"].n_unique() for port in PORTS] == [1, 1, 1]
    store.prune("shop", 1)
    assert len(store.versions("shop")) == 1
    assert not list(store.folder("shop").glob(".staging*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("product", "point"),
    [
        ("shop", "ingest done"),
        ("shop", "staging ready"),
        ("shop", "audit raw done"),
        ("shop", "work database ready"),
        ("shop", "dbt done"),
        ("shop", "audit done"),
        ("shop", "publish done"),
        ("plan", "notebook done"),
    ],
)
def test_a_build_killed_between_its_steps_leaves_readers_alone_and_the_next_one_works(
    small: SmallMesh, product: str, point: str
) -> None:
    small.publish("shop")
    small.publish("plan")
    before = small.store.read_pointer(product)
    assert forked(build_until, small.root, product, point) == -signal.SIGKILL
    after = small.store.read_pointer(product)
    assert (after == before) == (point != "publish done")
    last = Runs(small.config.storage).last(product)
    assert last is not None
    # Once it may be published, a killed build leaves no trace.
    assert last.status == ("published" if point == "publish done" else "canceled")
    assert small.publish(product, force=True)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["current.json replaced", "catalog.yaml written", "catalog.yaml replaced"])
def test_a_catalog_left_behind_by_a_killed_publish_is_mended_by_a_build_with_nothing_to_do(
    small: SmallMesh, point: str
) -> None:
    before = small.publish("shop")
    assert forked(build_until, small.root, "shop", point) == -signal.SIGKILL

    def served() -> str:
        version: str = read_yaml(small.store.folder("shop") / "catalog.yaml").data["metadata"]["snapshot_version"]
        return version

    assert (served() == before) == (point != "catalog.yaml replaced")
    outcome = small.build("shop")
    assert (outcome.status, served()) == ("up to date", outcome.version)
    assert outcome.version != before


@pytest.mark.slow
def test_two_builds_of_one_product_started_at_once(small: SmallMesh) -> None:
    """One publishes; the other is refused, or comes after it. Readers never see a mixture."""
    small.publish("shop")
    command = [sys.executable, "-m", "kit", "run", "shop", "--force", "--json"]
    processes = [
        subprocess.Popen(
            command, cwd=small.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent
        )
        for _ in range(2)
    ]
    outcomes = [json.loads(process.communicate(timeout=HANG)[0])[0] for process in processes]
    assert "published" in {outcome["status"] for outcome in outcomes}
    for outcome in outcomes:
        assert outcome["status"] == "published" or outcome["message"].startswith("'shop' is being built by process ")
    current = small.store.current("shop")
    assert current is not None
    assert current.version in {outcome["version"] for outcome in outcomes}
