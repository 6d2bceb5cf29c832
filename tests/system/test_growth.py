import sys
from pathlib import Path

import polars as pl
import pytest

from kit.core import Config
from kit.mesh import Context, Mesh
from kit.storage import Store
from kit.sync.sync import sync
from tests.bench.measuring import measure
from tests.support.growth import ASIDE, write_mesh

ROWS = 6_000_000


@pytest.mark.heavy
def test_a_build_of_many_rows_stays_within_its_memory(tmp_path: Path) -> None:
    write_mesh(tmp_path, ROWS, memory_limit="200MB")
    config = Config.load(tmp_path, {})
    sync(Context(config).with_mesh(Mesh.load(config.domains)))
    usage = measure([sys.executable, "-m", "kit", "run"], tmp_path)
    snapshot = Store(config.storage).current("growth")
    assert snapshot is not None
    assert snapshot.manifest["ports"]["lines"]["rows"] == ROWS - ROWS // ASIDE
    assert snapshot.manifest["sources"]["sold"]["quarantined"] == ROWS // ASIDE
    lines = pl.scan_parquet(snapshot.files("lines"))
    assert lines.select(pl.col("line_id").n_unique()).collect(engine="streaming").item() == ROWS - ROWS // ASIDE
    assert not [path for path in (config.storage / "spill").rglob("*") if path.is_file()]
    # 1.1 GB without a limit; half of this is Python with its libraries.
    assert usage.memory < 900, usage
