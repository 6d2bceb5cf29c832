"""What is remembered of domain folders is what their files say now."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.core import folder_digests
from kit.lineage import lineage
from kit.mesh import Mesh, contents
from kit.mesh.contents import Contents
from kit.mesh.product import DataProduct
from tests.support.files import replaced
from tests.support.many import many

PRODUCTS = 6


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folder_digests, "_QUIET_NS", 20_000_000)
    many(tmp_path, PRODUCTS)
    return tmp_path


def load(root: Path, cache: Path | None = None) -> Mesh:
    time.sleep(0.03)  # in which the clock of the file system moves on
    return Mesh.load(root / "domains", cache)


EDITS: list[Callable[[Path], object]] = [
    replaced("models/marts/lines.sql", "ref", "no_ref"),
    replaced("models/marts/lines.sql", "source(", "src("),
    replaced("models/sources.yml", "events", "other"),
    replaced("contracts/lines.odcs.yaml", '"maximum": 100', '"maximum": 101'),
    replaced("contracts/lines.odcs.yaml", "1.0.0", "2.0.0"),
    replaced("product.odps.yaml", "1.0.0", "2.0.0"),
    replaced("dbt_project.yml", "name", "names"),
    lambda folder: (folder / "dbt_project.yml").unlink(missing_ok=True),
    lambda folder: (folder / "ingest.py").unlink(missing_ok=True),
    lambda folder: (folder / "models/marts/lines.sql").rename(folder / "models/lines.sql"),
    lambda folder: (folder / "expectations/lines.extra.json").write_text("{}"),
    lambda folder: (folder / "models/link.sql").symlink_to("marts/lines.sql"),
]


@pytest.mark.parametrize("seed", range(6))
def test_a_mesh_and_its_lineage_are_the_same_with_and_without_what_is_remembered(root: Path, seed: int) -> None:
    chance, cache, before = random.Random(seed), root / "cache", root / "before"
    shutil.copytree(root / "domains", before)
    for folder in (root / "domains").iterdir():
        (folder / "expectations").mkdir()
    for _ in range(5):
        for edit in chance.sample(EDITS, 2):
            folder = root / "domains" / f"d{chance.randrange(PRODUCTS):04d}"
            try:
                edit(folder)
            except OSError:  # the file is gone by an edit before
                continue
        warm, cold = load(root, cache), load(root)
        assert (warm, lineage(warm)) == (cold, lineage(cold))
        if chance.random() < 0.4:  # the edits are taken back
            shutil.rmtree(root / "domains")
            shutil.copytree(before, root / "domains")


def test_a_product_that_has_not_changed_is_not_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cold = load(root, root / "cache")
    lineage(cold)
    monkeypatch.setattr(DataProduct, "load", lambda folder, documents: pytest.fail(f"{folder} read again"))
    monkeypatch.setattr("kit.lineage.graph.Project.read", lambda folder: pytest.fail(f"{folder} read again"))
    warm = load(root, root / "cache")
    assert (warm, lineage(warm)) == (cold, lineage(cold))


def test_another_package_or_an_edit_while_it_is_computed_is_not_passed_over(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seen = root / "domains/d0000", Contents(root / "cache")

    def compute() -> str:
        (folder / "README.md").write_text("changed meanwhile")
        return "before"

    assert seen.remembered("kind", folder, compute) == "before"
    assert Contents(root / "cache").remembered("kind", folder, lambda: "after") == "after"
    assert Contents(root / "cache").remembered("kind", folder, lambda: "not asked") == "after"
    assert Contents(root / "cache").remembered("kind", folder, lambda: "other", "more") == "other"
    monkeypatch.setattr(contents, "_installed", lambda: ("duckdb 2",))
    assert Contents(root / "cache").remembered("kind", folder, lambda: "by duckdb 2") == "by duckdb 2"


@pytest.mark.parametrize("paths", ['["../shared"]', '["/srv/models"]', "[1]"])
def test_a_folder_whose_models_are_elsewhere_is_read_each_time(root: Path, paths: str) -> None:
    folder = root / "domains/d0000"
    settings = folder / "dbt_project.yml"
    settings.write_text(f"name: d0000\nmodel-paths: {paths}\n")
    for value in ("first", "second"):
        assert Contents(root / "cache").remembered("kind", folder, lambda value=value: value) == value
