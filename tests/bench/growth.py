"""A product of two ports and about fifty rules, with more and more rows."""

import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.bench.measuring import Cost, Limit, Row, measure
from tests.bench.worker import WITHOUT
from tests.support.growth import write_mesh

MEMORY = Limit(4_000, "memory", absolute=True)
"""All processes together, whatever the number of rows."""
_SETTING = "2GB"
_BASE = 6.0


def growth(folder: Path, millions: tuple[float, ...] = (_BASE, 1.5, 24, 100)) -> list[Row]:
    """The rows of landing, building, auditing and publishing so many million rows; CPU time may grow a fifth faster."""
    rows = []
    for number in millions:
        linear = [Limit(1.2 * number / _BASE, "cpu")] if number > _BASE else []
        rows.append(Row(f"{number:g} million rows", partial(_built, folder, number), [MEMORY, *linear]))
    return rows


def _built(folder: Path, millions: float) -> Cost:
    with tempfile.TemporaryDirectory(dir=folder) as root:
        write_mesh(Path(root), int(millions * 1_000_000), memory_limit=_SETTING)
        kit = [sys.executable, "-m", "kit"]
        measure([*kit, "sync"], Path(root), environment=WITHOUT)
        return measure([*kit, "run"], Path(root), environment=WITHOUT)
