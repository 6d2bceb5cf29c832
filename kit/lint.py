"""`kit check`: everything about the domain folders that can be judged without building them."""

import re
from collections.abc import Iterator
from pathlib import Path

from kit import coupling, foreign_keys, inheritance, sunset, sync, texts, unmet, violations
from kit.audit import read_suite
from kit.config import Config
from kit.errors import KitError
from kit.files import inside, read_json, short
from kit.mesh import Mesh
from kit.needs import FOLDER as NEEDS
from kit.notebook import KERNEL
from kit.product import DataProduct, OutputPort
from kit.project import PYTHON_MODEL, Project
from kit.start import partition_problems


def problems(config: Config, mesh: Mesh) -> list[tuple[str, str]]:
    """All problems found, as pairs of product (or file) name and message."""
    found = [(item.name, item.message) for item in mesh.broken]
    for product in mesh.products:
        found += [(product.name, message) for message in (*_product(product), *_foreign_keys(mesh, product))]
    found += [*violations.problems(config.policy, mesh), *coupling.problems(config, mesh)]
    found += inheritance.problems(config, mesh)
    found += [*sunset.problems(mesh, config.clock()), *unmet.problems(mesh)]
    return found + list(sync.problems(config, mesh))


def _product(product: DataProduct) -> Iterator[str]:
    yield from _links(product.folder)
    yield from texts.templates(product)
    yield from texts.unfinished(product)
    for port in product.ports:
        if port.suite is not None:
            yield from _suite(port, port.suite)
        yield from _notebook(port)
    try:
        yield from partition_problems(product)
    except KitError as error:
        yield str(error)
    for path in Project.read(product.folder).python:
        yield f"{short(path)}: {PYTHON_MODEL}"
    ports = {port.name for port in product.ports}
    sources = {source.name for source in product.sources}
    for folder, pattern, known in (
        ("contracts", "*.odcs.yaml", ports),
        ("sources", "*.odcs.yaml", sources),
        ("expectations", "*.json", ports | {f"{name}.extra" for name in ports}),
        (NEEDS, "*.odcs.yaml", {item.name for item in product.inputs}),
    ):
        for path in sorted((product.folder / folder).glob(pattern)):
            if path.name.removesuffix(pattern[1:]) not in known:
                yield f"{short(path)}: belongs to nothing in product.odps.yaml; declare it there or delete the file"


def _foreign_keys(mesh: Mesh, product: DataProduct) -> Iterator[str]:
    offered = {port.id: port.contract for port in mesh.ports}
    read = {item.name: offered[item.port] for item in product.inputs if item.port in offered}
    for contract in [source.contract for source in product.sources] + [port.contract for port in product.ports]:
        yield from map(str, foreign_keys.unknown_columns(contract, read))


def _links(folder: Path) -> Iterator[str]:
    """Links that leave the domain folder: what they lead to would be published as the domain's own."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            try:
                inside(folder, str(path.relative_to(folder)))
            except KitError as error:
                yield str(error)


def _suite(port: OutputPort, path: Path) -> Iterator[str]:
    try:
        rules = read_suite(path)
    except KitError as error:
        yield str(error)
        return
    columns = {column.name for column in port.contract.columns}
    for rule in rules:
        for column in rule.columns:
            if column not in columns:
                yield f"{short(path)}: '{rule.name}' speaks of '{column}'; the columns are: {', '.join(sorted(columns))}"


def _notebook(port: OutputPort) -> Iterator[str]:
    path = port.notebook
    if path is None:
        return
    try:
        data = read_json(path)
        cells = [cell for cell in data["cells"] if cell["cell_type"] == "code"]
        kernel = data["metadata"]["kernelspec"]["name"]
    except KitError as error:
        yield str(error)
        return
    except (KeyError, TypeError):
        yield f"{short(path)}: not a notebook with cells and a kernel; save it from JupyterLab"
        return
    if kernel != KERNEL:
        yield f"{short(path)}: its kernel is '{kernel}'; asset notebooks use '{KERNEL}'"
    if any(cell.get("outputs") or cell.get("execution_count") for cell in cells):
        yield f"{short(path)}: holds outputs; clear them before you commit (Edit, Clear Outputs of All Cells)"
    source = "\n".join("".join(cell["source"]) for cell in cells)
    if not re.search(rf"""output\(\s*["']{port.name}["']""", source):
        yield f'{short(path)}: never calls kit.output("{port.name}", frame)'
