"""The lessons in JupyterLab, in a real browser; under nbval they are tests by themselves."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from notebooks.conftest import missing
from tests.support.lab import LabPage, RunningLab, lab_page, logged_in, needs_browser, running_lab  # noqa: F401  fixtures

ROOT = Path(__file__).parents[1]

pytestmark = [pytest.mark.slow, needs_browser]


@pytest.fixture(scope="module")
def lab(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """`kit lab` on a copy of this repository's mesh."""
    root = tmp_path_factory.mktemp("lessons")
    for name in ("pyproject.toml", "catalog.yaml"):
        shutil.copy(ROOT / name, root)
    for name in ("domains", "notebooks"):
        shutil.copytree(ROOT / name, root / name)
    (root / "kit").symlink_to(ROOT / "kit")
    shutil.copytree(published, root / ".mesh")
    with running_lab(root, tmp_path_factory.mktemp("user") / "jupyter") as running:
        yield running


@pytest.mark.parametrize("name", ["00_start", "catalog", "01_explore_orders", "02_quality_and_lineage"])
def test_it_runs_without_a_question(lab_page: LabPage, name: str) -> None:  # noqa: F811  the fixture
    if reason := missing(f"{name}.ipynb"):
        pytest.skip(reason)
    expect(lab_page.page.get_by_role("heading", name="Start here")).to_be_visible()
    lab_page.open(f"notebooks/{name}.ipynb")
    lab_page.run_all()
    lab_page.check_ran()
