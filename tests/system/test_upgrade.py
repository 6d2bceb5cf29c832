"""A storage and a Dagster home that an earlier kit made, opened by this one."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from kit.core import Config
from kit.orchestration.instance import home, instance
from tests.conftest import ROOT
from tests.support.limits import HANG

MESHES = sorted((ROOT / "tests/system/meshes").glob("*.tar.gz"))


@pytest.fixture(params=MESHES, ids=lambda path: path.name.removesuffix(".tar.gz"))
def mesh(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with tarfile.open(request.param) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11 has it from its fourth release on
        archive.extractall(tmp_path)
    (tmp_path / "kit").symlink_to(ROOT / "kit")  # the domains name the macros of the kit by a relative path
    settings = tmp_path / "state/dagster/dagster.yaml"
    settings.write_text(settings.read_text().replace("/mesh/state", str(tmp_path / "state")))
    # Since then a source declares the places outside of its domain from which it reads.
    contract = tmp_path / "domains/shop/sources/sales.odcs.yaml"
    given = json.loads(contract.read_text())
    given["customProperties"] = [*given.get("customProperties", ()), {"property": "reads", "value": ["../../feed"]}]
    contract.write_text(json.dumps(given))
    return tmp_path


def kit(mesh: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "kit", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=mesh, env=environment, capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_published_data_is_read_and_built_on(mesh: Path) -> None:
    assert "tea" in kit(mesh, "read", "shop.totals")
    assert kit(mesh, "history", "plan.forecast").count("20261129T") == 1
    kit(mesh, "sync")  # generated files of another kit are drift, which a build refuses
    kit(mesh, "run")
    assert kit(mesh, "run").count("up to date") == 2
    assert "tea" in kit(mesh, "read", "shop.totals", "--version", "-1")


@pytest.mark.slow
def test_dagster_keeps_its_history_and_goes_on(mesh: Path) -> None:
    config = Config.load(mesh, {})
    with instance(config) as opened:
        (before,) = opened.get_runs()
        assert opened.all_logs(before.run_id)
    assert "kit.orchestration.event_log" in (home(config) / "dagster.yaml").read_text()
    kit(mesh, "sync")  # generated files of another kit are drift, which a build refuses
    kit(mesh, "run", "shop", "--force")
    with instance(config) as opened:
        assert opened.get_runs_count() == 2
