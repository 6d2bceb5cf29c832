"""`kit check`: everything about the domain folders that can be judged without building them."""

from collections.abc import Iterator
from pathlib import Path

from kit import coupling, foreign_keys, inheritance, notebook_lint, sunset, sync, texts, unmet, violations
from kit.audit import read_suite
from kit.config import Config
from kit.errors import KitError
from kit.files import inside, short
from kit.mesh import Mesh
from kit.needs import FOLDER as NEEDS
from kit.product import DataProduct, OutputPort
from kit.project import PYTHON_MODEL, Project
from kit.start import partition_problems

NOTEBOOKS = "notebooks"
"""Where notebooks lie, in a domain and, those that belong to none, beside the domains."""


def problems(config: Config, mesh: Mesh) -> list[tuple[str, str]]:
    """All problems found, as pairs of product (or file) name and message."""
    found = [(item.name, item.message) for item in mesh.broken]
    for product in mesh.products:
        found += [(product.name, message) for message in (*_product(product), *_foreign_keys(mesh, product))]
    found += [*violations.problems(config.policy, mesh), *coupling.problems(config, mesh)]
    found += inheritance.problems(config, mesh)
    for path in notebook_lint.notebooks(config.root / NOTEBOOKS):
        found += [(NOTEBOOKS, message) for message in notebook_lint.problems(path)]
    found += [*sunset.problems(mesh, config.clock()), *unmet.problems(mesh)]
    return found + list(sync.problems(config, mesh))


def _product(product: DataProduct) -> Iterator[str]:
    yield from _links(product.folder)
    yield from texts.templates(product)
    yield from texts.unfinished(product)
    for port in product.ports:
        if port.suite is not None:
            yield from _suite(port, port.suite)
    yield from _notebooks(product)
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
        yield from map(str, foreign_keys.problems(contract, read))


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


def _notebooks(product: DataProduct) -> Iterator[str]:
    made = {port.notebook: port.name for port in product.ports if port.notebook is not None}
    for path in sorted({*made, *notebook_lint.notebooks(product.folder / NOTEBOOKS)}):
        yield from notebook_lint.problems(path, made.get(path))
