"""A first notebook to explore in and to promote: a parameter, a port that is read, a table at the end."""

from itertools import count
from pathlib import Path

from kit.core import Config, KitError, NotPublished, short, to_json
from kit.mesh import Context
from kit.scaffold.asset_notebook import METADATA, variable
from kit.storage import Store

_NAME = "new_asset"
_ABOUT = """\
What the table holds, its readers, and the meaning of one row. Run the cells and change them. When the table is right,
`kit promote notebooks/{name}.ipynb --product PRODUCT` makes it a port of a product; `kit.promote()` in a cell does the same."""


def new_blank_notebook(config: Config) -> Path:
    """Write a notebook into `notebooks/` under a new name, and return its path; each of its cells runs.

    It reads a published port; raises `NotPublished` when there is none.
    """
    store = Store(config.storage)
    ports = Context(config).mesh.ports
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
    raise AssertionError("count() does not end")


def _notebook(name: str, port: str) -> str:
    table = variable(port, ("kit", "rows", "frame"))
    cells = [
        _cell("markdown", "title", f"# {name}\n\n{_ABOUT.format(name=name)}"),
        _cell("code", "parameters", "rows: int = 10  # how many rows to keep", tags=["parameters"]),
        _cell("code", "inputs", f'import kit\n\n{table} = kit.read("{port}")\n{table}'),
        _cell(
            "code",
            "output",
            f"# The value of the last line becomes the table of the port.\nframe = {table}.head(rows)\nframe",
        ),
    ]
    return to_json({"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5})


def _cell(kind: str, name: str, source: str, **metadata: object) -> dict[str, object]:
    run: dict[str, object] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": name, "metadata": metadata, "source": source.splitlines(keepends=True), **run}
