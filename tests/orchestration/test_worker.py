"""The worker of an environment: started, used, stopped; builds are the same with it and without."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from kit.orchestration import worker_place
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh
from tests.support.workers import ROOT, WHERE, client, environment, files, light_worker, wait_for

KIT = [sys.executable, "-m", "kit"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of commands that share a worker; it is stopped at the end."""
    found = environment(tmp_path_factory.mktemp("runtime"), DATABASE_TOKEN="a-secret-token", KIT_MASK_KEY="a-masking-key")
    yield found
    processes = [psutil.Process(int(path.read_text())) for path in files(found) if path.suffix == ".lock"]
    kit(found, ROOT, "worker", "stop")
    assert psutil.wait_procs(processes, timeout=HANG)[1] == []
    assert files(found) == []


def kit(variables: dict[str, str], folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*KIT, *arguments], cwd=folder, env=variables, capture_output=True, text=True, timeout=300)


@pytest.fixture
def worker(variables: dict[str, str]) -> psutil.Process:
    """The worker, which accepts commands."""
    started = kit(variables, ROOT, "worker", "start")
    assert started.returncode == 0, started.stderr
    wait_for(lambda: len(files(variables)) == 3, 120)
    return psutil.Process(int(next(path for path in files(variables) if path.suffix == ".lock").read_text()))


MOVING = re.compile(r"\d{4}-\d\d-\d\dT[\d:.+Z-]+|\d{8}T\d{6}Z-\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Times, names of snapshots and runs."""


def records(mesh: SmallMesh) -> list[Any]:
    """All that builds have recorded, without times, ids and paths of the mesh."""
    found: list[Any] = []
    for path in sorted((mesh.root / "state").rglob("*.json")):
        if path.name in ("manifest.json", "record.json", "run.json") or "runs" in path.parts:
            found.append(_plain(json.loads(MOVING.sub("MOVING", path.read_text().replace(str(mesh.root), "ROOT")))))
    return found


def _plain(value: Any) -> Any:
    moving = {"version", "run_id", "steps", "dagster_run", "parent", "snapshot", "run", "verdicts"}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if name not in moving and not name.endswith("_at")}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def test_a_build_is_the_same_with_and_without(variables: dict[str, str], worker: psutil.Process, tmp_path: Path) -> None:
    found: list[Any] = []
    for name, options in (("by_worker", []), ("itself", ["--no-worker"])):
        mesh = SmallMesh(tmp_path / name)
        seen = []
        for arguments in ([], ["shop", "--json"], ["nothing"]):
            done = kit(variables, mesh.root, "run", *arguments, *options)
            seen.append((done.returncode, _words(done.stdout), done.stderr.replace(str(mesh.root), "ROOT")))
        mesh.replace("domains/shop/models/marts/sales.sql", "select *", "select nonsense, *")
        done = kit(variables, mesh.root, "run", "shop", *options)
        seen.append((done.returncode, _words(done.stdout), done.stderr.replace(str(mesh.root), "ROOT")))
        found.append((seen, records(mesh)))
    (by_worker, its_records), (itself, records_) = found
    assert by_worker == itself
    assert its_records == records_
    assert len(records_) > 4
    assert [code for code, *_ in itself] == [0, 0, 1, 1]
    assert worker.is_running()
    assert [path.read_text() for path in files(variables) if path.suffix == ".lock"] == [str(worker.pid)]


def _words(text: str) -> list[list[str]]:
    """Return the words of an output without snapshots and durations."""
    moving = ("s", "d", "min")
    return [
        [word for word in line.split() if not word[0].isdigit() and word not in moving and "2026" not in word]
        for line in text.splitlines()
        if not line.strip().startswith(('"version"', '"seconds"'))
    ]


def test_the_worker_keeps_nothing_of_its_callers(variables: dict[str, str], worker: psutil.Process, small: SmallMesh) -> None:
    assert kit(variables, small.root, "run", "shop").returncode == 0
    assert worker.is_running()
    inherited = Path(f"/proc/{worker.pid}/environ").read_bytes()
    assert b"a-secret-token" not in inherited
    assert b"a-masking-key" not in inherited
    names = {item.partition(b"=")[0].decode() for item in inherited.split(b"\0") if item}
    assert {name for name in names if not name.startswith(worker_place.PREFIXES)} <= set(worker_place.VARIABLES)
    opened = [os.path.realpath(entry) for entry in Path(f"/proc/{worker.pid}/fd").iterdir()]
    assert [path for path in opened if str(small.root) in path or path.endswith((".duckdb", ".db"))] == []
    assert worker.cwd() == "/"


def test_status_start_and_stop(tmp_path: Path) -> None:
    own = environment(tmp_path)
    mesh = SmallMesh(tmp_path / "mesh")
    assert kit(own, mesh.root, "worker", "status").stdout == "no worker runs; the next `kit run` starts one\n"
    assert kit(own, mesh.root, "worker", "stop").stdout == "no worker runs\n"
    started = kit(own, mesh.root, "worker", "start").stdout
    process = psutil.Process(int(started.split()[1].rstrip(",")))
    again = kit(own, mesh.root, "worker", "start").stdout
    assert again.split()[1].rstrip(",") == str(process.pid)
    assert kit(own, mesh.root, "worker", "stop").stdout == "1 worker ended\n"
    process.wait(60)
    for switch in ({"KIT_WORKER": "off"}, {"CI": "true"}):
        refused = kit(own | switch, mesh.root, "worker", "start")
        assert (refused.returncode, refused.stderr[:30]) == (1, "error: no worker is used: it n")
        assert kit(own | switch, mesh.root, "run", "shop").returncode == 0
        assert [path for path in files(own) if path.suffix == ".lock"] == []


def test_an_idle_worker_ends(tmp_path: Path) -> None:
    own = environment(tmp_path)
    with light_worker(WHERE, own, idle_seconds=0.5) as worker:
        worker.wait(30)
        assert files(own) == []


def test_a_worker_ends_when_its_files_are_gone(tmp_path: Path) -> None:
    own = environment(tmp_path)
    with light_worker(WHERE, own) as worker:
        shutil.rmtree(tmp_path / "data-mesh-kit")
        worker.wait(30)


def test_a_worker_ends_when_the_kit_changes(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "kit", tmp_path / "code" / "kit", ignore=shutil.ignore_patterns("__pycache__"))
    own = environment(tmp_path, PYTHONPATH=str(tmp_path / "code"))
    with light_worker(WHERE, own) as worker:
        assert subprocess.run(client(WHERE), env=own, cwd="/", capture_output=True, text=True).stdout == "worker\n"
        (tmp_path / "code/kit/core/version.py").touch()
        assert subprocess.run(client(WHERE), env=own, cwd="/", capture_output=True, text=True).stdout == "itself\n"
        worker.wait(30)
        assert files(own) == []
    with light_worker(WHERE, own) as worker:
        shutil.rmtree(tmp_path / "code")
        worker.wait(30)


def test_a_stopped_worker_lets_its_commands_end(tmp_path: Path) -> None:
    own = environment(tmp_path)
    command = "def command(): print(os.getpid(), flush=True); time.sleep(2); print('whole')"
    with light_worker(command, own) as worker:
        process = subprocess.Popen(client(command), env=own, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        worker.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert subprocess.run(client(WHERE), env=own, capture_output=True, text=True).stdout == "itself\n"
        assert process.communicate(timeout=HANG)[0] == "whole\n"
        assert worker.wait(30) == 0
