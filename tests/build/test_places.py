from pathlib import Path

import pytest

from kit.build.places import forbidden, notebook_places
from kit.core import database, landlock
from tests.support.small_mesh import FORECAST, SmallMesh, write


def test_a_product_must_not_read_other_folders_and_the_storage(small: SmallMesh) -> None:
    assert forbidden(small.config, "plan") == {
        small.domains / "shop": "the folder of 'shop'",
        small.config.storage: "the storage of the mesh",
    }


def test_a_notebook_opens_its_own_folder_and_its_tables(small: SmallMesh) -> None:
    write(small.config.storage / "products/shop/v1/totals/data.parquet", "x")
    pinned = small.config.storage / "products/shop/v1/totals/data.parquet"
    places = notebook_places(small.config, "plan", small.domains / "plan", [pinned])
    for allowed in (pinned, small.domains / "plan/product.odps.yaml", small.root / "pyproject.toml"):
        assert places.allow(allowed)
    for refused in (pinned.with_name("other.parquet"), small.domains / "shop/ingest.py", small.feed):
        assert not places.allow(refused)


ATTEMPTS = """
import os, pathlib, tempfile
pinned = pathlib.Path(kit.inputs().files['shop.totals'][0])
def tried(attempt):
    try:
        attempt()
        return 'done'
    except PermissionError:
        return 'refused'
results = {
    'its input': tried(pinned.read_bytes),
    'its own folder': tried(lambda: pathlib.Path('../note.txt').write_text('x')),
    'a temporary file': tried(lambda: tempfile.TemporaryFile().write(b'x')),
    'the catalog': tried(lambda: (repr(kit.open()), kit.open().read('shop.totals'))),
    'a write to its input': tried(lambda: pinned.open('ab')),
    'a cut of its input': tried(lambda: os.truncate(pinned, 0)),
    'the folder of its input': tried(lambda: os.listdir(pinned.parent)),
    'another port': tried((pinned.parent.parent / 'sales/data.parquet').read_bytes),
    'the manifest': tried((pinned.parent.parent / 'manifest.json').read_bytes),
    'raw data': tried(lambda: list(os.scandir(pinned.parents[4] / 'raw'))),
    'another domain': tried(pathlib.Path('../../shop/ingest.py').read_bytes),
    'the feed': tried(pathlib.Path('../../../feed/sales.csv').read_bytes),
    'a link to another domain': tried(lambda: os.symlink('../../shop', '../link')),
    'the parent process': tried(pathlib.Path(f'/proc/{os.getppid()}/environ').read_bytes),
    'a child process': 'done' if os.system('cat ../../shop/ingest.py') == 0 else 'refused',
}
kit.output('forecast', pl.DataFrame({'item': list(results), 'amount': [float(value == 'done') for value in results.values()]}))
"""
OPEN = {"its input", "its own folder", "a temporary file", "the catalog"}


@pytest.mark.skipif(landlock.version() == 0, reason="test_confinement fails where that is not expected")
def test_a_kernel_opens_nothing_else(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.publish("shop")
    monkeypatch.setattr("kit.build.plan.check_safety", lambda *_: None)  # the other wall
    monkeypatch.setattr("kit.build.make.check_safety", lambda *_: None)
    small.notebook("plan", "forecast", ["import kit\nimport polars as pl", ATTEMPTS], "factor: float = 1.0\nname: str = ''\n")
    outcome = small.build("plan")
    assert outcome.status == "published", outcome.message
    lease = small.store.open("plan")
    with lease as snapshot:
        rows = database.relation(snapshot.files("forecast")).fetchall()
    assert {item for item, amount in rows if amount} == OPEN
    assert len(rows) == 15


@pytest.mark.parametrize("read", ["pl.read_csv('../../shop/ingest.py')", "pl.read_csv(LONG)"])
def test_a_refused_file_is_named_with_what_to_do(
    small: SmallMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    long = tmp_path / "a folder whose name is long" / "and another one within it, so that polars shortens the path/x.csv"
    write(long, "a\n1\n")
    small.publish("shop")
    monkeypatch.setattr("kit.build.plan.check_safety", lambda *_: None)
    monkeypatch.setattr("kit.build.make.check_safety", lambda *_: None)
    small.notebook(
        "plan", "forecast", [*FORECAST, read.replace("LONG", repr(str(long)))], "factor: float = 1.0\nname: str = ''\n"
    )
    message = small.build("plan").message
    assert "failed: PermissionError: Permission denied" in message
    assert (
        "; a notebook opens its domain folder and `tempfile` only: declare a port as an input, and read it with kit" in message
    )
