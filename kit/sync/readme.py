"""The table of ports in the README of a product, generated from its contracts."""

from datetime import timedelta
from pathlib import Path

from kit.contracts import Sla
from kit.core import KitError, read_text
from kit.mesh import DataProduct, OutputPort
from kit.sync.markers import BEGIN, END, lines_of, marked

README = "README.md"


def file(product: DataProduct) -> tuple[Path, str | KitError]:
    """Return the path of the README, and its text with the current table or the error that keeps it from being written."""
    path = product.folder / README
    try:
        return path, placed(product, path)
    except KitError as error:
        return path, error


def placed(product: DataProduct, path: Path) -> str:
    """Return the text of a README with the current table; a new table goes below the first heading. Raises `KitError`."""
    if path.is_symlink():
        raise KitError("is a link; put a file in its place", path)
    text = read_text(path) if path.exists() else f"# {product.name}\n\n{product.description}\n"
    lines, generated = lines_of(text), [f"{line}\n" for line in table(product)]
    try:
        part = marked(lines)
    except KitError as error:
        raise KitError(error.problem, path, error.line) from None
    if part:
        return "".join([*lines[: part[0]], *generated, *lines[part[1] :]])
    below = next((number + 1 for number, line in enumerate(lines) if line.startswith("# ")), 0)
    before = [*lines[:below], "\n"] if below else []
    after = lines[below:] if lines[below:][:1] == ["\n"] else ["\n", *lines[below:]]
    return "".join([*before, *generated, *after])


def table(product: DataProduct) -> list[str]:
    """Return the lines of the table, markers included."""
    return [
        f"<!-- {BEGIN}. Written from the contracts: edit those, not this. -->",
        "| port | one row per | key | published | version |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(_cells(port))} |" for port in product.ports),
        f"<!-- {END} -->",
    ]


def _cells(port: OutputPort) -> list[str]:
    contract = port.contract
    grain = " ".join(contract.description.split()).removeprefix("One row per ").partition(". ")[0].rstrip(".")
    key = ", ".join(f"`{name}`" for name in contract.key) or "none"
    limits = f", last day {contract.end_of_life}" if contract.end_of_life else ""
    limits += "" if contract.is_offered else f", {contract.status}"
    return [f"`{port.name}`", grain.replace("|", "\\|"), key, _promise(contract.sla), f"{contract.version}{limits}"]


def _promise(sla: Sla) -> str:
    levels = [f"every {_time(sla.frequency)}"] if sla.frequency else []
    levels += [f"data at most {_time(sla.latency)} old"] if sla.latency else []
    return ", ".join(levels) or "no promise"


def _time(span: timedelta) -> str:
    for unit, seconds in (("d", 86_400), ("h", 3600)):
        if span.total_seconds() % seconds == 0:
            return f"{span.total_seconds() / seconds:g} {unit}"
    return f"{span.total_seconds() / 3600:.3g} h"
