"""A blank notebook that can become a port: a parameter, a port that is read, a table at the end."""

from itertools import count
from pathlib import Path

from kit.core import Config, KitError, NotPublished, short, to_json
from kit.mesh import Mesh
from kit.notebooks import KERNEL
from kit.scaffold.asset_notebook import variable
from kit.storage import Store

_NAME = "new_asset"
_ABOUT = """\
What the table holds, who it is for, and what one row stands for. Run the cells and change them. When the table is right,
`kit promote notebooks/{name}.ipynb --product PRODUCT` makes it a port of a product; `kit.promote()` in a cell does the same."""


def new_blank_notebook(config: Config) -> Path:
    """Write a notebook of which every cell runs into `notebooks/`, under a name of its own, and return where it lies.

    It reads a port that is published; raises `NotPublished` when there is none.
    """
    store = Store(config.storage)
    ports = Mesh.load(config.domains, config.cache).ports
    port = next((port.id for port in ports if store.read_pointer(port.id.partition(".")[0])), None)
    if port is None:
        raise NotPublished("no port is published yet that a notebook could read; build the mesh with `kit run`")
    folder = config.root / "notebooks"
    try:
        folder.mkdir(exist_ok=True)
        for number in count(1):
            path = folder / (f"{_NAME}.ipynb" if number == 1 else f"{_NAME}_{number}.ipynb")
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(_notebook(path.stem, port))
                return path
            except FileExistsError:
                continue
    except OSError as error:
        raise KitError(f"{short(folder)} cannot be written: {error.strerror}") from None
    raise AssertionError("numbers do not end")


def _notebook(name: str, port: str) -> str:
    table = variable(port, ("kit", "rows", "frame"))
    cells = [
        _cell("markdown", "title", f"# {name}\n\n{_ABOUT.format(name=name)}"),
        _cell("code", "parameters", "rows: int = 10  # how many rows to keep", tags=["parameters"]),
        _cell("code", "inputs", f'import kit\n\n{table} = kit.read("{port}")\n{table}'),
        _cell(
            "code",
            "output",
            f"# The table this notebook ends in is what the port will hold.\nframe = {table}.head(rows)\nframe",
        ),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": KERNEL}
    return to_json({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


def _cell(kind: str, name: str, source: str, **metadata: object) -> dict[str, object]:
    run: dict[str, object] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": name, "metadata": metadata, "source": source.splitlines(keepends=True), **run}
