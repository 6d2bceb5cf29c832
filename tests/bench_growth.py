"""What a row costs: a product of two ports and about fifty rules, built with more and more rows, for `make bench`."""

import json
import sys
import tempfile
from pathlib import Path

from kit.core import Config
from kit.mesh import Context, Mesh
from kit.sync.sync import sync
from tests.support.growth import Usage, measured, write_mesh

MILLIONS = (1.5, 6.0, 24.0)
MEMORY_LIMIT = "2GB"


def growth(millions: tuple[float, ...] = MILLIONS, memory_limit: str = MEMORY_LIMIT) -> dict[float, Usage]:
    """Return what landing, building, auditing and publishing so many million rows takes, by their number."""
    return {number: built(int(number * 1_000_000), memory_limit) for number in millions}


def built(rows: int, memory_limit: str) -> Usage:
    """Return what one build of so many rows takes; raises `RuntimeError` when it does not publish all of them."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_mesh(root, rows, memory_limit=memory_limit)
        config = Config.load(root, {})
        sync(Context(config).with_mesh(Mesh.load(config.domains)))
        return measured(root, "run")


def main() -> None:
    """Print a line for each number of millions given."""
    for number, usage in growth(tuple(map(float, sys.argv[1:])) or MILLIONS).items():
        print(json.dumps({"million rows": number, **vars(usage), "CPU per million": usage.cpu / number}), flush=True)


if __name__ == "__main__":
    main()
