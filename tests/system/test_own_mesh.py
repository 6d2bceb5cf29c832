"""The mesh of this repository, whatever domains there are: it is checked, built, and read without the kit.

Its notebooks are tests by themselves (`pytest --nbval-lax`), and tests of one domain lie in its folder.
"""

import json
import subprocess
from pathlib import Path

import pytest

from kit.governance import check_mesh
from kit.mesh import DESCRIPTOR, Context
from kit.sync import drifts, texts
from tests.conftest import ROOT

DOMAINS = ROOT / "domains"
PRODUCTS = sorted(path.parent.name for path in DOMAINS.glob(f"*/{DESCRIPTOR}"))
NO_PRODUCT = pytest.param("", marks=pytest.mark.skip(reason="this mesh has no data product yet"))
each_product = pytest.mark.parametrize("name", PRODUCTS or [NO_PRODUCT])
FirstRun = tuple[Path, "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def context() -> Context:
    return Context.load(ROOT)


def test_kit_check_finds_nothing_but_texts_that_are_still_to_be_written(context: Context) -> None:
    """A new product has such texts; they are named by `kit check`, and are no fault of what it publishes."""
    unwritten = {finding for product in context.mesh.products for finding in texts.check_unfinished(product)}
    problems = [finding for finding in check_mesh(context) if finding.severity == "error" and finding not in unwritten]
    assert [f"{finding.product}: {finding}" for finding in problems] == []


def test_generated_files_are_up_to_date(context: Context) -> None:
    assert drifts(context) == []


def test_doctor_and_report_work(published: Path, tmp_path: Path) -> None: ...


@pytest.mark.slow
@each_product
def test_it_builds_and_its_checks_pass(first_run: FirstRun, name: str) -> None:
    _, done = first_run
    assert done.stdout, done.stderr
    outcomes = {outcome["product"]: outcome for outcome in json.loads(done.stdout)}
    assert name in outcomes, done.stderr
    assert outcomes[name]["status"] == "published", outcomes[name]["message"]


@pytest.mark.slow
@each_product
def test_its_committed_catalog_opens_in_plain_intake(published: Path, name: str) -> None: ...
