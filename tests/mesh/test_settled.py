"""What `kit check` remembers of products without findings changes none of its findings."""

import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.core import Config
from kit.governance import check_mesh
from kit.mesh import Context, Settled
from kit.sync import sync
from tests.support.files import replaced
from tests.support.findings import pairs
from tests.support.many import many

PRODUCTS = 6


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("many")
    many(root, PRODUCTS)
    sync(context(root))
    return root


def context(root: Path) -> Context:
    return Context(Config.load(root, {}))


def found(root: Path) -> list[tuple[str, str]]:
    """The findings, without the time in messages of dbt."""
    return [(product, re.sub(r"\d\d:\d\d:\d\d ", "", text)) for product, text in pairs(check_mesh(context(root)))]


def settled(root: Path) -> set[str]:
    now = context(root)
    known = Settled(now, "check")
    return {product.name for product in now.mesh.products if product in known}


EDITS: list[Callable[[Path], None]] = [
    replaced("models/marts/lines.sql", "order by", "order  by"),
    replaced("models/marts/lines.sql", "ref", "no_ref"),
    replaced("models/marts/lines.sql", "select *", "select * from d0000.days; select *"),
    replaced("models/marts/lines.sql", "raw", "other"),
    replaced("contracts/lines.odcs.yaml", "pattern", "pattern_"),
    replaced("contracts/lines.odcs.yaml", "bigint", "integer"),
    replaced("contracts/lines.odcs.yaml", "1.0.0", "1.1.0"),
    replaced("sources/events.odcs.yaml", "../../feed", "../d0001"),
    replaced("product.odps.yaml", "raw.events", "raw.event"),
    replaced("ingest.py", "return", "import os; return"),
    lambda folder: (folder / "expectations/lines.json").unlink(missing_ok=True),
    lambda folder: (folder / "expectations/nothing.json").write_text("{}"),
    lambda folder: (folder / "README.md").write_text("TODO: all of it"),
    lambda folder: (folder / "models/outside").symlink_to("/etc/hostname"),
]


def test_a_product_without_findings_is_not_checked_again(mesh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(mesh) == []
    assert settled(mesh) == {f"d{number:04d}" for number in range(PRODUCTS)}
    monkeypatch.setattr("kit.governance.check._own", lambda *_: pytest.fail("checked again"))
    assert found(mesh) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_findings_are_the_same_with_and_without_what_is_remembered(mesh: Path, tmp_path: Path, seed: int) -> None:
    chance, root = random.Random(seed), tmp_path / "mesh"
    shutil.copytree(mesh, root)
    found(root)
    for _ in range(4):
        for edit in chance.sample(EDITS, chance.randint(1, 2)):
            folder = root / "domains" / f"d{chance.randrange(PRODUCTS):04d}"
            if not (folder / "models/outside").is_symlink():
                edit(folder)
        warm = found(root)
        shutil.rmtree(context(root).config.cache)
        assert warm == found(root)
        if warm and chance.random() < 0.5:  # the edit is taken back
            shutil.rmtree(root / "domains")
            shutil.copytree(mesh / "domains", root / "domains")
            assert found(root) == []


def test_a_changed_contract_of_a_provider_is_a_change_of_its_readers_alone(mesh: Path, tmp_path: Path) -> None:
    root = tmp_path / "mesh"
    shutil.copytree(mesh, root)
    found(root)
    everything = settled(root)
    contract = root / "domains/d0000/contracts/lines.odcs.yaml"
    contract.write_text(contract.read_text().replace("item [0-9]", "item [1-9]"))
    readers = {item.name for item in context(root).mesh.readers("d0000.lines")}
    assert readers == {"d0001"}
    assert settled(root) == everything - {"d0000", "d0001"}


def test_a_product_is_not_remembered_by_a_contract_that_changed_after_the_mesh_was_read(mesh: Path, tmp_path: Path) -> None:
    root = tmp_path / "mesh"
    shutil.copytree(mesh, root)
    read = context(root)
    read.mesh  # noqa: B018
    replaced("contracts/lines.odcs.yaml", "item [0-9]", "item [1-9]")(root / "domains/d0000")
    check_mesh(read)
    assert settled(root) == {"d0002", "d0003", "d0004", "d0005"}


def test_models_outside_of_the_folder_are_looked_for_each_time(mesh: Path, tmp_path: Path) -> None:
    root = tmp_path / "mesh"
    shutil.copytree(mesh, root)
    path = root / "domains/d0000/dbt_project.yml"
    path.write_text(path.read_text() + '\ntest-paths: ["../../shared"]\n')
    for name in ("check", "generated"):
        known = Settled(context(root), name)
        known.add(context(root).mesh.product("d0000"))
        known.save()
        assert context(root).mesh.product("d0000") not in Settled(context(root), name)


def test_a_new_version_of_a_port_is_a_change_of_its_readers_alone(mesh: Path, tmp_path: Path) -> None:
    root = tmp_path / "mesh"
    shutil.copytree(mesh, root)
    found(root)
    everything = settled(root)
    replaced("contracts/lines.odcs.yaml", '"version": "1.0.0"', '"version": "1.1.0"')(root / "domains/d0000")
    descriptor = root / "domains/d0000/product.odps.yaml"
    product = json.loads(descriptor.read_text())
    next(port for port in product["outputPorts"] if port["name"] == "lines")["version"] = "1.1.0"
    descriptor.write_text(json.dumps(product))
    assert not context(root).mesh.broken
    assert settled(root) == everything - {"d0000", "d0001"}


def test_a_damaged_cache_or_one_that_cannot_be_written_changes_nothing(mesh: Path, tmp_path: Path) -> None:
    root = tmp_path / "mesh"
    shutil.copytree(mesh, root)
    before = found(root)
    cache = context(root).config.cache
    for path in cache.glob("settled-*"):
        path.write_text("damaged")
    assert found(root) == before
    shutil.rmtree(cache)
    cache.write_text("a file in the place of the folder")
    assert found(root) == before
