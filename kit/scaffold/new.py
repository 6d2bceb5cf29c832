"""New data products, ports and notebooks, made in a copy of the mesh, checked there, and then written together."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from kit.build import ingest_process
from kit.contracts import Check, Finding
from kit.core import Config, KitError, UnknownName, yaml_writer
from kit.ingest import land
from kit.mesh import RAW, Context, DataProduct, Mesh, name_problem
from kit.scaffold import templates
from kit.scaffold.changes import FileChange, apply_changes
from kit.scaffold.connector_source import connector_of, files_of_stream
from kit.scaffold.from_dbt import take_over
from kit.scaffold.mesh_copy import MeshCopy, mesh_copy
from kit.scaffold.port_files import PortFiles, add_files, check_port_name, refuse_existing, write
from kit.scaffold.port_source import files_from_origin, files_from_ports, files_of_source, origin_file, raw_source

COMMANDS = ("port", "notebook", "source")
"""The words after `kit new` that are no name of a product."""

_OWNER = re.compile(r"\s*([^<>]+?)\s*<\s*([^<>\s]+)\s*>\s*")


@dataclass(frozen=True)
class Owner:
    """The owner of a data product."""

    name: str
    mail: str

    @classmethod
    def parse(cls, text: str) -> "Owner":
        """The owner in `Name <mail>`; raises `KitError`."""
        match = _OWNER.fullmatch(text)
        if match is None or not text.isprintable():
            raise KitError(f"{text!r} is not an owner; write 'Name <mail>'")
        return cls(match[1], match[2])


@dataclass(frozen=True)
class Scaffolded:
    """The folder of a product, the id of its new port (of the sample, the first one) and all files written.

    `questions` are those that a person decides about columns of a file, by their names; `remarks` and `failing` tests are
    those of a dbt project that was taken over. The port is empty when only a source was added. `variables` are environment
    variables that its function reads.
    """

    folder: Path
    port: str
    files: tuple[Path, ...]
    questions: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[Finding, ...] = ()
    failing: tuple[Check, ...] = ()
    variables: tuple[str, ...] = ()


def new_product(
    context: Context,
    name: str,
    owner: Owner,
    domain: str,
    origin: str | None,
    port: str | None,
    csv: Sequence[str] = (),
) -> Scaffolded:
    """Make a data product from a file, a port or a notebook, or without an `origin` from the sample.

    `csv` says how a CSV file is written: texts such as `delimiter=;`. The product builds without a change by hand.
    Raises `KitError`, and then nothing was written.
    """
    config = context.config
    check_new_product(config, name)
    names = _names(name, owner, domain)
    questions: Mapping[str, str] = {}
    with mesh_copy(config, name) as copy:
        copy.folder.mkdir()
        if origin is None:
            port = port or templates.PORT
            check_port_name(port)
            names |= {templates.PORT: port}
            for path, text in templates.sample_files(names).items():
                write(copy.folder / path, text)
            changes = copy.changes()
        else:
            files = files_from_origin(context, name, port, origin, copy.folder, csv)
            questions = files.questions
            port = str(files.output["name"])
            for path, text in templates.empty_product(names).items():
                write(copy.folder / path, text)
            changes = add_port(copy, context.mesh, files)
    return _apply(config.domains / name, f"{name}.{port}", changes, questions)


def new_product_from_dbt(
    context: Context,
    name: str,
    owner: Owner,
    domain: str,
    project: Path,
    ports: Sequence[str] = (),
    sources: Sequence[str] = (),
    csv: Sequence[str] = (),
) -> Scaffolded:
    """Make a data product from the dbt project in a folder; see `take_over`.

    Raises `KitError` with all that cannot be taken over, and then nothing was written.
    """
    check_new_product(context.config, name)
    with mesh_copy(context.config, name) as copy:
        taken = take_over(context, copy, project, _names(name, owner, domain), ports, sources, csv)
    folder = context.config.domains / name
    made = _apply(folder, f"{name}.{taken.ports[0]}", taken.changes, taken.questions)
    return replace(made, remarks=taken.remarks, failing=taken.failing)


def new_source(context: Context, id: str, origin: str, csv: Sequence[str] = ()) -> Scaffolded:  # noqa: A002
    """Add a raw source `PRODUCT.SOURCE` to an existing product, made from a raw file, or read by a connector `KIND:REST`.

    The contract of the latter is drafted from its stream; no row is read. See `new_product`.
    """
    name, _, source = id.partition(".")
    source = source.removeprefix(f"{RAW}.")
    product = context.mesh.product(name)
    if not source:
        raise UnknownName(f"'{id}' is not PRODUCT.SOURCE; name the new source, as in {id}.visits")
    check_port_name(source)
    if source in (item.name for item in product.sources):
        raise KitError(f"'{name}' has a source '{source}' already; nothing was written")
    with mesh_copy(context.config, name) as copy:
        staged = (product.folder / "dbt_project.yml").is_file()
        if connector := connector_of(origin):
            if csv:
                raise KitError(f"--csv is for a CSV file; a connector of {connector[0]} reads none")
            files, variables = files_of_stream(copy, source, *connector, staged=staged)
            add_files(copy.folder, files)
            DataProduct.load(copy.folder)
            return replace(_apply(product.folder, "", copy.changes()), variables=tuple(variables))
        files = files_of_source(context.config.domains, name, source, origin, csv, staged=staged)
        changes = add_port(copy, context.mesh, files)
    return _apply(product.folder, "", changes, files.questions)


def _names(name: str, owner: Owner, domain: str) -> dict[str, str]:
    """The names that a product has in place of those of the sample."""
    return {
        "tearoom": name,
        templates.OWNER: owner.name,
        templates.MAIL: owner.mail,
        templates.DOMAIN: yaml_writer.inline(domain),
    }


def new_port(context: Context, id: str, origin: str, csv: Sequence[str] = ()) -> Scaffolded:  # noqa: A002 (the port's id)
    """Make a dbt port of an existing product from a file or another port; see `new_product`."""
    product, port = check_new_port(context.mesh, id)
    if product.partitions:
        raise KitError(f"'{product.name}' is cut into partitions, by which a model must filter; write this port by hand")
    if origin.endswith(".ipynb"):
        raise KitError(f"{origin} is a notebook; write `kit promote {origin} --product {product.name} --port {port}`")
    with mesh_copy(context.config, product.name) as copy:
        files = files_from_origin(context, product.name, port, origin, copy.folder, csv)
        changes = add_port(copy, context.mesh, files)
    return _apply(product.folder, id, changes, files.questions)


def new_notebook(context: Context, id: str, reads: tuple[str, ...]) -> Scaffolded:  # noqa: A002
    """Make a port of an existing product with a notebook that outputs the first of the ports it reads."""
    product, port = check_new_port(context.mesh, id)
    providers = [context.mesh.port(item) for item in reads] or list(product.ports[:1])
    with mesh_copy(context.config, product.name) as copy:
        changes = add_port(copy, context.mesh, files_from_ports(context.mesh, product.name, port, providers))
    return _apply(product.folder, id, changes)


def add_port(copy: MeshCopy, mesh: Mesh, files: PortFiles) -> tuple[FileChange, ...]:
    """Add a port to the product in the copy; return all changes that follow from it.

    Raises `KitError` when the product cannot be loaded with it, or a new source cannot be landed.
    """
    add_files(copy.folder, files)
    product = DataProduct.load(copy.folder)
    known = {source.name for item in mesh.products if item.name == copy.product for source in item.sources}
    with ingest_process(copy.config, product) as process:
        for source in product.sources:
            if source.name not in known:
                land(process, source, copy.raw)
    return copy.changes()


def check_new_product(config: Config, name: str) -> None:
    """Raise `KitError` for a text that cannot name a new product, or names an existing one."""
    if name in COMMANDS:
        raise KitError(f"'{name}' is a word of this command; choose another name, or write `kit new {name} PRODUCT.PORT`")
    if problem := name_problem(name):
        raise KitError(problem)
    refuse_existing(config.domains / name)


def check_origin(mesh: Mesh, origin: str) -> str:
    """Return the origin itself; raises `KitError` for a text that is neither an existing file nor a port of the mesh."""
    product, _, name = origin.partition(".")
    if name.startswith(f"{RAW}.") and origin_file(origin) is None:
        raw_source(mesh.product(product), origin)
        return origin
    return origin if origin_file(origin) else mesh.port(origin).id


def check_new_port(mesh: Mesh, id: str) -> tuple[DataProduct, str]:  # noqa: A002
    """The product that gets the port `PRODUCT.PORT`, and the name of the port; raises `KitError`."""
    name, dot, port = id.partition(".")
    if not dot:
        raise UnknownName(f"'{id}' is not PRODUCT.PORT; products: {', '.join(mesh.names) or 'none'}")
    product = mesh.product(name)
    check_port_name(port)
    if product.port(port) is not None:
        raise KitError(f"'{name}' has a port '{port}' already; nothing was written")
    return product, port


def _apply(
    folder: Path, port: str, changes: tuple[FileChange, ...], questions: Mapping[str, str] = MappingProxyType({})
) -> Scaffolded:
    apply_changes(changes)
    return Scaffolded(folder, port, tuple(change.path for change in changes), questions)
