"""New domains, ports and notebooks: put together apart from the mesh, judged whole, then moved into place."""

import ast
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kit.core import (
    Config,
    KitError,
    UnknownName,
    Where,
    appended,
    mappings,
    parse_yaml,
    read_text,
    read_yaml,
    short,
    yaml_writer,
)
from kit.ingest import land
from kit.mesh import DESCRIPTOR, Context, DataProduct, Mesh, name_problem
from kit.scaffold import templates
from kit.scaffold.changes import FileChange, apply_changes
from kit.scaffold.mesh_copy import mesh_copy
from kit.scaffold.port_source import PortFiles, check_port_name, file_of, from_ports, piece_of
from kit.sync import wanted

COMMANDS = ("port", "notebook")
"""What `kit new` takes for something else than the name of a product."""

_OWNER = re.compile(r"\s*([^<>]+?)\s*<\s*([^<>\s]+)\s*>\s*")


@dataclass(frozen=True)
class Owner:
    """Who stands for a product."""

    name: str
    mail: str

    @classmethod
    def parse(cls, text: str) -> "Owner":
        """The owner in `Name <mail>`; raises `KitError`."""
        match = _OWNER.fullmatch(text)
        if match is None or not text.isprintable():
            raise KitError(f"{text!r} does not say who owns it; write 'Name <mail>'")
        return cls(match[1], match[2])


@dataclass(frozen=True)
class Scaffolded:
    """What was made: the domain folder, the port (of a whole sample, its first one) and all files written."""

    folder: Path
    port: str
    files: tuple[Path, ...]


def new_domain(
    config: Config, mesh: Mesh, name: str, owner: Owner, domain: str, origin: str | None, port: str | None
) -> Scaffolded:
    """A new product, made from a file, port or notebook, or without an `origin` the sample under other names.

    It builds as it stands. Raises `KitError`, and then nothing was written.
    """
    check_new(config, name)
    names = {
        "tearoom": name,
        templates.OWNER: owner.name,
        templates.MAIL: owner.mail,
        templates.DOMAIN: yaml_writer.inline(domain),
    }
    with mesh_copy(config, name) as there:
        folder = there.domains / name
        folder.mkdir()
        if origin is None:
            check_port_name(port or "tea_sales")
            names |= {"tea_sales": port or "tea_sales", templates.MACROS: _macros(config)}
            for path, text in templates.sample_files(names).items():
                _write(folder / path, text)
            made, changes = f"{name}.{port or 'tea_sales'}", _changes(config, there, name)
        else:
            piece = piece_of(config, mesh, name, port, origin, folder)
            for path, text in templates.empty_product(names).items():
                _write(folder / path, text)
            made, changes = str(piece.output["contractId"]), grown(config, there, mesh, name, piece)
    apply_changes(changes)
    return Scaffolded(config.domains / name, made, tuple(change.path for change in changes))


def check_new(config: Config, name: str) -> None:
    """Raise `KitError` for what cannot name a new product, or names one that is there."""
    if name in COMMANDS:
        raise KitError(f"'{name}' is a word of this command; choose another name, or write `kit new {name} PRODUCT.PORT`")
    if problem := name_problem(name):
        raise KitError(problem)
    _not_there(config.domains / name)


def check_origin(mesh: Mesh, origin: str) -> str:
    """The origin itself; raises `KitError` for what is neither a file that is there nor a port of the mesh."""
    return origin if file_of(origin) else mesh.port(origin).id


def check_new_port(mesh: Mesh, id: str) -> tuple[DataProduct, str]:  # noqa: A002 (it is the port's id)
    """The product that is to get the port `PRODUCT.PORT`, and the port's name; raises `KitError`."""
    name, dot, port = id.partition(".")
    if not dot:
        raise UnknownName(f"'{id}' is not PRODUCT.PORT; products: {', '.join(mesh.names) or 'none'}")
    product = mesh.product(name)
    check_port_name(port)
    if product.port(port) is not None:
        raise KitError(f"'{name}' has a port '{port}' already; nothing was written")
    return product, port


def new_port(config: Config, mesh: Mesh, id: str, origin: str) -> Scaffolded:  # noqa: A002
    """A new dbt port of an existing product, made from a file or another port; see `new_domain`."""

    def make(product: DataProduct, port: str, folder: Path) -> PortFiles:
        if product.partitions:
            raise KitError(f"'{product.name}' is cut into partitions, by which a model must filter; write this port by hand")
        if origin.endswith(".ipynb"):
            raise KitError(f"{origin} is a notebook; write `kit promote {origin} --product {product.name} --port {port}`")
        return piece_of(config, mesh, product.name, port, origin, folder)

    return _grown(config, mesh, id, make)


def new_notebook(config: Config, mesh: Mesh, id: str, reads: tuple[str, ...]) -> Scaffolded:  # noqa: A002
    """A new port of an existing product that a notebook makes, which hands over what it reads."""

    def make(product: DataProduct, port: str, folder: Path) -> PortFiles:
        found = [mesh.port(item) for item in reads] or list(product.ports[:1])
        return from_ports(mesh, product.name, port, found)

    return _grown(config, mesh, id, make)


def _grown(config: Config, mesh: Mesh, id: str, piece_of: Callable[[DataProduct, str, Path], PortFiles]) -> Scaffolded:  # noqa: A002
    product, port = check_new_port(mesh, id)
    with mesh_copy(config, product.name) as there:
        changes = grown(config, there, mesh, product.name, piece_of(product, port, there.domains / product.name))
    apply_changes(changes)
    return Scaffolded(product.folder, id, tuple(change.path for change in changes))


def grown(config: Config, there: Config, mesh: Mesh, name: str, piece: PortFiles) -> tuple[FileChange, ...]:
    """What a product with one piece more changes; `there` is its mirror, in which the piece is put in place.

    Raises `KitError` when it does not load then, or a new source cannot be taken in.
    """
    folder = there.domains / name
    _add(config, folder, piece)
    product = DataProduct.load(folder)
    known = {source.name for item in mesh.products if item.name == name for source in item.sources}
    for source in product.sources:
        if source.name not in known:
            land(product, source, there.root.parent / "raw")
    return _changes(config, there, name)


def _changes(config: Config, there: Config, name: str) -> tuple[FileChange, ...]:
    """What is other in the mirror than in the mesh, once the generated files are in step."""
    mesh = Context(there).mesh
    folder = mesh.product(name).folder
    generated = {}
    for path, text in wanted(there, mesh).items():
        if path.is_relative_to(folder):
            _write(path, text)
        if path.is_relative_to(folder) or path.parent in (there.root, there.domains):
            generated[path] = text.encode()
    by_hand = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path not in generated}
    found = [
        FileChange.from_file(config.root / path.relative_to(there.root), content, generated=path in generated)
        for path, content in {**by_hand, **generated}.items()
    ]
    return tuple(change for change in found if change.before != change.after)


def _add(config: Config, folder: Path, piece: PortFiles) -> None:
    """Put a piece into a product's folder; raises `KitError` when one of its files is there already."""
    for path, content in piece.files.items():
        _not_there(folder / path)
        if isinstance(content, Path):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(content, folder / path)
        else:
            _write(folder / path, content)
    descriptor = folder / DESCRIPTOR
    text = appended(descriptor, read_text(descriptor), ["outputPorts"], piece.output, before="team")
    there = [item["name"] for item in mappings(parse_yaml(descriptor, text).data.get("inputPorts"))]
    for entry in piece.inputs:
        if entry["name"] not in there:
            text = appended(descriptor, text, ["inputPorts"], entry, before="outputPorts")
    descriptor.write_text(text, encoding="utf-8", newline="")
    if piece.ingest:
        _add_function(folder / "ingest.py", piece.ingest)
    if piece.has_dbt and not (folder / "dbt_project.yml").is_file():
        _write(folder / "dbt_project.yml", templates.dbt_project({"tearoom": folder.name, templates.MACROS: _macros(config)}))
    if piece.reads:
        _add_source(folder / "models", *piece.reads)


def _add_function(path: Path, code: str) -> None:
    text = read_text(path) if path.is_file() else read_text(templates.SAMPLE / "ingest.py").partition("\n")[0] + "\n"
    (made,) = (node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef))
    if re.search(rf"^(def )?{made}\b", text, re.MULTILINE):
        raise KitError(f"{path.name} has a '{made}' already; rename the file it would be read from")
    path.write_text(f"{text.rstrip()}\n\n\n{code}", encoding="utf-8")


def _add_source(models: Path, schema: str, table: str, description: str) -> None:
    """Let dbt know a table, in the file that knows its schema already, else in `sources.yml`."""
    item = {"name": table, **({"description": description} if description else {})}
    for path in sorted((*models.rglob("*.yml"), *models.rglob("*.yaml"))):
        for number, source in enumerate(mappings(read_yaml(path).data.get("sources"))):
            if source.get("name") == schema:
                if table not in (known.get("name") for known in mappings(source.get("tables"))):
                    where: Where = ["sources", number, "tables"]
                    path.write_text(appended(path, read_text(path), where, item), encoding="utf-8")
                return
    path = models / "sources.yml"
    text = read_text(path) if path.is_file() else ""
    entry = {"name": schema, "tables": [item]}
    _write(
        path, appended(path, text, ["sources"], entry) if text else "\n".join(yaml_writer.block({"sources": [entry]})) + "\n"
    )


def _macros(config: Config) -> str:
    """The kit's dbt macros, seen from a domain folder."""
    own = config.root / "kit" / "dbt" / "macros"
    return os.path.relpath(own if own.is_dir() else Path(__file__).parents[1] / "dbt" / "macros", config.domains / "any")


def _not_there(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise KitError(f"{short(path)} is there already; nothing was written")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
