"""`kit check`: everything about the domain folders that can be judged without building them."""

from collections.abc import Iterator
from pathlib import Path

from kit.build import partition_problems
from kit.contracts import FOLDER as NEEDS
from kit.contracts import foreign_key_checks
from kit.core import Config, KitError, inside, short
from kit.dbt.project import PYTHON_MODEL, Project
from kit.governance import consumer_contracts, coupling, deprecation, masks, policy
from kit.mesh import DataProduct, Mesh, OutputPort
from kit.notebooks import lint
from kit.quality import suite
from kit.sync import sync_problems, texts

NOTEBOOKS = "notebooks"
"""Where notebooks lie, in a domain and, those that belong to none, beside the domains."""


def problems(config: Config, mesh: Mesh) -> list[tuple[str, str]]:
    """All problems found, as pairs of product (or file) name and message."""
    found = [(item.name, item.message) for item in mesh.broken]
    for product in mesh.products:
        found += [(product.name, message) for message in (*_product(product), *_foreign_keys(mesh, product))]
    found += [*policy.problems(config.policy, mesh), *coupling.problems(config, mesh)]
    found += masks.problems(config, mesh)
    for path in lint.notebooks(config.root / NOTEBOOKS):
        found += [(NOTEBOOKS, message) for message in lint.problems(path)]
    found += [*deprecation.problems(mesh, config.clock()), *consumer_contracts.problems(mesh)]
    return found + list(sync_problems(config, mesh))


def _product(product: DataProduct) -> Iterator[str]:
    yield from _links(product.folder)
    yield from texts.templates(product)
    yield from texts.unfinished(product)
    for port in product.ports:
        if port.extra_suite is not None:
            yield from _suite(port, port.extra_suite)
    yield from _notebooks(product)
    try:
        yield from partition_problems(product)
    except KitError as error:
        yield str(error)
    for path in Project.read(product.folder).python_models:
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
        yield from map(str, foreign_key_checks.column_errors(contract, read))


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
        rules = suite.extra_rules(path)
    except KitError as error:
        yield str(error)
        return
    columns = {column.name for column in port.contract.columns}
    for rule in rules:
        for column in rule.assertion.columns:
            if column not in columns:
                yield f"{short(path)}: '{rule.name}' speaks of '{column}'; the columns are: {', '.join(sorted(columns))}"


def _notebooks(product: DataProduct) -> Iterator[str]:
    made = {port.notebook: port.name for port in product.ports if port.notebook is not None}
    for path in sorted({*made, *lint.notebooks(product.folder / NOTEBOOKS)}):
        yield from lint.problems(path, made.get(path))
