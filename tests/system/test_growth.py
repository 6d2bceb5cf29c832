"""The storage of a mesh that is built again and again reaches a size and keeps it."""

from pathlib import Path

import pytest

import kit
from tests.support.small_mesh import SmallMesh


def size(folder: Path) -> int:
    """The space that the files of a folder take, in bytes."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


@pytest.mark.heavy
def test_storage_and_descriptors_stop_growing(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.replace("pyproject.toml", "[tool.kit]\n", "[tool.kit]\nkeep_runs = 3\nkeep_snapshots = 3\n")
    monkeypatch.chdir(small.root)
    sizes, descriptors = [], []
    for _ in range(12):
        kit.run("shop", force=True)
        sizes.append(size(small.config.storage))
        descriptors.append(len(list(Path("/proc/self/fd").iterdir())))
    assert max(sizes[6:]) < sizes[5] * 1.02
    assert max(descriptors[6:]) <= max(descriptors[:6]) + 3  # those that garbage collection has not closed yet
    assert len(small.store.versions("shop")) == 3
    assert len(list((small.config.storage / "dagster/history/runs").glob("*-*.db"))) == 3 + 1
    run = max((small.config.storage / "runs/shop").iterdir())
    assert {path.suffix for path in (run / "dbt").rglob("*") if path.is_file()} == {".sql"}
    events = (run / "openlineage.jsonl").stat().st_size
    assert events < 60_000
    assert size(run) - events < 40_000
