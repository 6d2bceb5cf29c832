"""What the kit costs beside its peers: `make bench`.

Each table compares rows that are measured in turn, each in processes of its own, so that a change of the machine's load
meets all; medians are compared. Wall time, CPU time (notebook kernels included) and the most memory that all processes of a
command held at one time are shown, and the limit that a row has to keep. A row that other processes disturbed names their
share of the machine.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from tests.bench import demo, meshes
from tests.bench.growth import growth
from tests.bench.measuring import Row, alternate, report

TABLES = ("demo", "edit", "notebook", "partitions", "growth", "check", "dagster", "report", "browse")


def bench(
    runs: Annotated[int, typer.Option(help="How often each row is measured.", min=1)] = 5,
    table: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(TABLES)}; all of them when it is left out.")
    ] = None,
) -> None:
    """Print a table for each kind of work; exits with 1 when a row misses its limit."""
    if unknown := sorted(set(table or ()) - set(TABLES)):
        raise typer.BadParameter(f"there is no table {', '.join(unknown)}; there are: {', '.join(TABLES)}")
    kept = [_measured(name, runs) for name in TABLES if not table or name in table]
    raise typer.Exit(0 if all(kept) else 1)


def _measured(name: str, runs: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="kit-bench-") as folder:
        title, rows, warm = _rows(name, Path(folder))
        alternate(runs, rows, title, warm=warm)
        return report(title, rows)


def _rows(name: str, folder: Path) -> tuple[str, Sequence[Row], bool]:
    """Return the title of a table, its rows, and whether its first round only fills what is remembered."""
    of_demo: dict[str, tuple[str, Callable[[demo.Demo], list[Row]], bool]] = {
        "demo": ("The demo mesh from nothing", demo.building, False),
        "edit": ("The demo mesh after an edit", demo.editing, True),
        "notebook": ("An asset notebook", demo.notebooks, False),
    }
    of_many: dict[str, tuple[str, Callable[[Path], list[Row]], bool]] = {
        "partitions": ("A product with a partition a day", meshes.partitions, False),
        "growth": ("A product of many rows", growth, False),
        "check": ("Checks of many domains", meshes.checking, True),
        "dagster": ("Dagster's code location", meshes.loading, True),
        "report": ("The report", meshes.reporting, True),
        "browse": ("The catalog's application", meshes.browsing, True),
    }
    if name in of_demo:
        title, rows, warm = of_demo[name]
        return title, rows(demo.Demo(folder / "demo")), warm
    title, make, warm = of_many[name]
    return title, make(folder), warm


if __name__ == "__main__":
    typer.run(bench)
