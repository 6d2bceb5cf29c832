"""Dagster's own commands in the root of a mesh, and dbt's in the folders of its domains."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError

import psutil
import pytest

from tests.conftest import ROOT
from tests.support.dev_server import DevServer
from tests.support.ending import end_with_parent
from tests.support.limits import HANG
from tests.support.serving import family
from tests.support.small_mesh import SmallMesh, write

BIN = Path(sys.executable).parent
TABLES = re.compile(r"\[tool\.dagster\].*?(?=^\[tool\.ruff\])", re.DOTALL | re.MULTILINE)


def add_tables(small: SmallMesh, root_module: str = "") -> str:
    """Add the tables of the repository's own pyproject.toml, of which `dg` reads the module that is the mesh."""
    found = TABLES.search((ROOT / "pyproject.toml").read_text())
    assert found
    tables = found[0]
    if root_module:
        tables = re.sub(r"(?m)^(root_module|defs_module|code_location_target_module) = .*", rf'\1 = "{root_module}"', tables)
    with (small.root / "pyproject.toml").open("a") as file:
        file.write(tables)
    return tables


def run(small: SmallMesh, *command: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix, "DAGSTER_HOME": ""}
    return subprocess.run(
        [BIN / command[0], *command[1:]], cwd=small.root, env=environment, capture_output=True, text=True, timeout=200,
        check=False, preexec_fn=end_with_parent,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("command", [["dagster", "definitions", "validate"], ["dg", "check", "defs"]], ids=" ".join)
def test_dagster_checks_the_definitions_and_names_what_is_wrong(small: SmallMesh, command: list[str]) -> None:
    """In a clone, whose root has the folder `kit`, which `dg` looks for."""
    (small.root / "kit").symlink_to(ROOT / "kit")
    tables = add_tables(small)
    done = run(small, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    (small.root / "pyproject.toml").write_text("[tool.kit]\nno_setting = 1\n" + tables)
    done = run(small, *command)
    assert done.returncode != 0
    assert "has no setting 'no_setting'" in done.stdout + done.stderr


@pytest.mark.slow
def test_dg_checks_a_mesh_whose_kit_is_an_installed_package(small: SmallMesh) -> None:
    """By a module of its own, as domains/README.md says."""
    write(small.root / "mesh.py", "from kit.orchestration.definitions import defs\n")
    add_tables(small, root_module="mesh")
    done = run(small, "dg", "check", "defs")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.heavy
def test_dagster_dev_serves_the_mesh_and_ends_without_leaving_processes(small: SmallMesh) -> None:
    add_tables(small)
    small.publish("shop")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (small.root / "dagster.log").open("w+")
    process = subprocess.Popen(
        [BIN / "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)], cwd=small.root, text=True, stdout=log, stderr=log,
        env={name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}, preexec_fn=end_with_parent,
    )  # fmt: skip
    server = DevServer(process, f"http://127.0.0.1:{port}", "/graphql", "kit.orchestration.definitions")
    processes: list[psutil.Process] = []
    try:
        server.wait_for(lambda: answers(server))
        entries = server.query(
            "{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } } }"
        )["workspaceOrError"]["locationEntries"]
        assert [(entry["name"], entry["locationOrLoadError"]["__typename"]) for entry in entries] == [
            (server.location, "RepositoryLocation")
        ]
        run_id = server.launch("plan.forecast")
        server.wait_for(lambda: server.status(run_id) in ("SUCCESS", "FAILURE", "CANCELED"), seconds=200)
        assert server.status(run_id) == "SUCCESS"
        assert small.store.read_pointer("plan") is not None
        assert small.build("plan").status == "up to date"
        processes = family(process)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=HANG)
        psutil.wait_procs(processes, timeout=HANG)  # Dagster's servers notice within 20 seconds that it has ended
        assert [item for item in processes if item.is_running()] == []
    finally:
        for item in processes or family(process):
            with suppress(psutil.NoSuchProcess):
                item.kill()
        process.wait()
        log.close()


def answers(server: DevServer) -> bool:
    try:
        return bool(server.query("{ version }"))
    except (URLError, ConnectionError):
        return False
