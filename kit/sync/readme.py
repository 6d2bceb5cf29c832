"""The table of ports in a product's README, generated from its contracts."""

from datetime import timedelta
from pathlib import Path

from kit.contracts import Sla
from kit.core import KitError, read_text
from kit.mesh import DataProduct, OutputPort
from kit.sync.markers import BEGIN, END, lines_of, marked

README = "README.md"


def file(product: DataProduct) -> tuple[Path, str | KitError]:
    """The README with its table as it should be, or why it cannot be written."""
    path = product.folder / README
    try:
        return path, placed(product, path)
    except KitError as error:
        return path, error


def placed(product: DataProduct, path: Path) -> str:
    """The text of a README with the table in its place, which is under the first heading; raises `KitError`."""
    if path.is_symlink():
        raise KitError("is a link; put a file in its place", path)
    given = read_text(path) if path.exists() else f"# {product.name}\n\n{product.description}\n"
    lines, generated = lines_of(given), [f"{line}\n" for line in table(product)]
    try:
        place = marked(lines)
    except KitError as error:
        raise KitError(error.problem, path, error.line) from None
    if place:
        return "".join([*lines[: place[0]], *generated, *lines[place[1] :]])
    below = next((number + 1 for number, line in enumerate(lines) if line.startswith("# ")), 0)
    before = [*lines[:below], "\n"] if below else []
    after = lines[below:] if lines[below:][:1] == ["\n"] else ["\n", *lines[below:]]
    return "".join([*before, *generated, *after])


def table(product: DataProduct) -> list[str]:
    """The lines of the table, markers included."""
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
    until = f", until {contract.end_of_life}" if contract.end_of_life else ""
    return [f"`{port.name}`", grain.replace("|", "\\|"), key, _promise(contract.sla), f"{contract.version}{until}"]


def _promise(sla: Sla) -> str:
    said = [f"every {_time(sla.frequency)}"] if sla.frequency else []
    said += [f"data at most {_time(sla.latency)} old"] if sla.latency else []
    return ", ".join(said) or "no promise"


def _time(span: timedelta) -> str:
    for unit, seconds in (("d", 86_400), ("h", 3600)):
        if span.total_seconds() % seconds == 0:
            return f"{span.total_seconds() / seconds:g} {unit}"
    return f"{span.total_seconds() / 3600:.3g} h"
