"""`kit check`: all checks of the domain folders that need no build."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain

from kit.build import check_consumers, check_partition_parameters, safety_findings
from kit.contracts import FOLDER as NEEDS
from kit.contracts import NOT_OFFERED, Finding, foreign_key_checks
from kit.core import ContentCache, KitError, read_yaml, short
from kit.dbt.project import package_folders
from kit.governance import (
    classification,
    coupling,
    expectations,
    masks,
    model_egress,
    owners,
    policy,
    secret_values,
    sources,
    value_lists,
)
from kit.lineage import source_calls
from kit.mesh import DESCRIPTOR, Context, DataProduct, Mesh, OutputPort, Settled
from kit.notebooks import Declared, lint
from kit.storage import Store
from kit.sync import check_generated, texts

NOTEBOOKS = "notebooks"
"""Folder of the notebooks of a domain; notebooks of no domain are in a folder of that name beside `domains`."""


def check_mesh(context: Context) -> list[Finding]:
    """Run every check that needs no build; a product without findings is checked again after a change."""
    settled = Settled(context, "check")
    changed = [product for product in context.mesh.products if product not in settled]
    own = {product.name: _own(context, product) for product in changed}
    reads = {product.name: list(coupling.check_coupling(context, product)) for product in changed}
    generated = list(check_generated(context))
    for product in changed:
        if not own[product.name] and not reads[product.name] and _is_closed(product):
            settled.add(product)
    settled.save()
    findings = [item.finding for item in context.mesh.broken]
    findings += [*chain(*own.values()), *policy.check_policy(context.config.policy, context.mesh), *chain(*reads.values())]
    findings += [*classification.check_classification(context), *classification.check_weakened(context)]
    findings += [*classification.check_late(context), *value_lists.check_value_lists(context)]
    findings += [*masks.check_masks(context), *masks.check_keys(context)]
    notebooks = lint.notebooks(context.config.root / NOTEBOOKS)
    findings += chain.from_iterable(lint.check_notebook(NOTEBOOKS, path) for path in notebooks)
    findings += secret_values.check_secrets(context.config, NOTEBOOKS, notebooks)
    findings += check_published_contracts(context)
    findings += [*check_offers(context.mesh), *check_deprecation(context.mesh, context.config.clock())]
    findings += check_consumer_contracts(context.mesh)
    return findings + generated


def _own(context: Context, product: DataProduct) -> list[Finding]:
    """Return what is wrong in the files of a product alone, and with its references to columns of others."""
    trials = ContentCache(context.config.cache / f"expectations-{product.name}")
    findings = [*_product(context, product, trials), *_foreign_keys(context.mesh, product)]
    findings += model_egress.check_models(context, product)
    trials.save()
    return findings


def _is_closed(product: DataProduct) -> bool:
    """Return whether nothing but files of the mesh decides what is wrong in a product.

    The arguments of connectors and the imports of notebooks and of `ingest.py` are compared with installed packages.
    """
    is_plain = all(call.kind == "python" for call in source_calls(product.folder).values())
    is_plain = is_plain and not lint.imports_packages(product.folder / "ingest.py")
    return is_plain and not package_folders(product.folder) and not lint.notebooks(product.folder)


def check_published_contracts(context: Context) -> Iterator[Finding]:
    """Find contracts whose next build would be refused, since they break consumers of the current snapshot."""
    store = Store(context.config.storage)
    for product in context.mesh.products:
        try:
            check_consumers(context, product, store.current(product.name))
        except KitError as error:
            yield Finding.from_error(product.name, error)


def check_consumer_contracts(mesh: Mesh) -> Iterator[Finding]:
    """Find the contracts that promise less than a consumer contract of their port requires."""
    for product in mesh.products:
        for port in product.ports:
            for need in port.needs:
                for change in need.unmet(port.contract):
                    message = f"promises less than '{need.consumer}' needs: {change.where}: {change.text}"
                    fix = f"promise it, or agree with {need.owner} ({need.contact}) on {short(need.contract.path)}"
                    yield Finding(product.name, port.contract.path, None, message, fix)


def check_offers(mesh: Mesh) -> Iterator[Finding]:
    """Find the products that read a port which is not offered to them, and drafts in which nothing is left to be written.

    Builds go on.
    """
    for product in mesh.products:
        for port in product.ports:
            status = port.contract.status
            if port.contract.is_offered:
                continue
            if status == "draft" and not any(texts.unfinished(product, port.contract.path)):
                message = "a draft in which nothing is left to be written; other products cannot read it yet"
                error = read_yaml(port.contract.path).error(["status"], message)
                yield replace(Finding.from_error(product.name, error, "write 'status: active'"), severity="warning")
            for reader in mesh.readers(port.id):
                asked = f"ask {product.owner} ({product.owner_contact}) to finish its contract and write 'status: active' there"
                fix = "stop reading it" if status == "retired" else asked
                yield _read(reader, port, f"is {status}, {NOT_OFFERED[status]}", fix)


def check_deprecation(mesh: Mesh, clock: datetime) -> Iterator[Finding]:
    """Find the ports whose last day is before `clock`, and the products that still read them. Builds go on."""
    for product in mesh.products:
        for port in product.ports:
            if port.contract.end_of_life and port.contract.end_of_life < clock.date():
                readers = mesh.readers(port.id)
                yield _ended(product, port, readers, mesh.possible_readers(port.id))
                newer = product.port(port.contract.major_of or "")
                for reader in readers:
                    yield _still_read(reader, port, newer)


def _ended(product: DataProduct, port: OutputPort, readers: tuple[DataProduct, ...], possible: tuple[str, ...]) -> Finding:
    message = f"'{port.id}' ended on {port.contract.end_of_life}"
    fix = f"delete the port, its {'notebook' if port.notebook else 'model'} and this contract"
    if readers:
        names = ", ".join(f"{reader.name} ({reader.owner}, {reader.owner_contact})" for reader in readers)
        message, fix = f"{message}, and is still read by {names}", f"let them move, then {fix}"
    if possible:
        names = ", ".join(possible)
        message, fix = f"{message}; {names}, which cannot be read, may read it", f"correct {names} first; {fix}"
    return Finding.from_error(product.name, read_yaml(port.contract.path).error(["slaProperties"], message), fix)


def _still_read(reader: DataProduct, port: OutputPort, newer: OutputPort | None) -> Finding:
    fix = f"move to {newer.id} {newer.contract.version}" if newer else "stop reading it"
    return _read(reader, port, f"ended on {port.contract.end_of_life}", fix)


def _read(reader: DataProduct, port: OutputPort, problem: str, fix: str) -> Finding:
    """The finding about an input of a product, served by a port that it should not read."""
    item = next(item for item in reader.inputs if item.port == port.id)
    document = read_yaml(reader.folder / DESCRIPTOR)
    names = [entry.get("name") for entry in document.data["inputPorts"]]
    subject = f"'{item.name}' {item.version} is served by '{port.id}', which" if item.name != item.port else f"'{port.id}'"
    message = f"{subject} {problem}"
    return Finding.from_error(reader.name, document.error(["inputPorts", names.index(item.name)], message), fix)


def _product(context: Context, product: DataProduct, trials: ContentCache) -> Iterator[Finding]:
    yield from safety_findings(context.config, product)
    yield from owners.check_owners(product)
    yield from secret_values.check_secrets(context.config, product.name, secret_values.text_files(product.folder))
    yield from sources.check_sources(product)
    yield from texts.check_templates(product)
    yield from texts.check_unfinished(product)
    yield from expectations.check_expectations(context, product, trials)
    yield from _notebooks(context, product)
    try:
        yield from check_partition_parameters(product)
    except KitError as error:
        yield Finding.from_error(product.name, error)
    ports = {port.name for port in product.ports}
    raw = {source.name for source in product.sources}
    for folder, pattern, known in (
        ("contracts", "*.odcs.yaml", ports),
        ("sources", "*.odcs.yaml", raw),
        ("expectations", "*.json", ports | {f"{name}.extra" for name in ports}),
        (NEEDS, "*.odcs.yaml", {item.name for item in product.inputs}),
    ):
        for path in sorted((product.folder / folder).glob(pattern)):
            if path.name.removesuffix(pattern[1:]) not in known:
                message = f"belongs to nothing in {DESCRIPTOR}"
                yield Finding(product.name, path, None, message, "declare it there or delete the file")


def _foreign_keys(mesh: Mesh, product: DataProduct) -> Iterator[Finding]:
    offered = {port.id: port.contract for port in mesh.ports}
    read = {item.name: offered[item.port] for item in product.inputs if item.port in offered}
    for contract in [source.contract for source in product.sources] + [port.contract for port in product.ports]:
        for error in foreign_key_checks.column_errors(contract, read):
            yield Finding.from_error(product.name, error)


def _notebooks(context: Context, product: DataProduct) -> Iterator[Finding]:
    made = {port.notebook: port.name for port in product.ports if port.notebook is not None}
    paths = sorted({*made, *lint.notebooks(product.folder)})
    modules = [path for folder in sorted({path.parent for path in made}) for path in sorted(folder.glob("*.py"))]
    if lint.imports_packages(product.folder / "ingest.py"):
        modules.insert(0, product.folder / "ingest.py")
    if paths or modules:
        declared = Declared.from_root(context.config.root)
        for path in paths:
            yield from lint.check_notebook(product.name, path, made.get(path), declared)
        for path in modules:
            yield from lint.check_module(product.name, path, declared)
