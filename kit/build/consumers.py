"""The consumers that a build would break: a contract that promises less keeps its version only while nobody is affected."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

from kit.contracts import Contract, ContractChange, bumped, compare
from kit.core import KitError, MeshError, make_folder, sync_path
from kit.lineage import affected_columns, column_use
from kit.mesh import DESCRIPTOR, Context, DataProduct, Mesh, OutputPort
from kit.storage import Snapshot


def store_definitions(product: DataProduct, folder: Path) -> None:
    """Copy the descriptor and the contracts of a product into the folder of its snapshot, which they explain."""
    make_folder(folder / "contracts")
    for path in (product.folder / DESCRIPTOR, *(port.contract.path for port in product.ports)):
        copy = folder / path.relative_to(product.folder)
        shutil.copyfile(path, copy)
        sync_path(copy)
    sync_path(folder / "contracts")


def check_consumers(context: Context, product: DataProduct, current: Snapshot | None) -> None:
    """Raise `MeshError` when a contract promises less than that of the current snapshot under a version that hides it.

    Only changes that affect a consumer count: a column that it uses, or a need that it states. A version that is high enough
    tells consumers that they have to move, and a snapshot of an earlier kit contains no contracts.
    """
    for port in product.ports:
        path = current.contract(port.name) if current else None
        if path is None or path.read_bytes() == port.contract.path.read_bytes():
            continue
        try:
            old = Contract.load(path)
        except KitError:  # a kit with other rules wrote it
            continue
        changes = tuple(change for change in compare(old, port.contract) if change.verdict == "major")
        required = bumped(old.version, "major") if changes else old.version
        if port.contract.version >= required:
            continue
        if readers := _affected(context, port, old, changes):
            texts = ", ".join(f"{change.where} {change.text}" for change in changes)
            raise MeshError(
                f"'{port.id}' would break {'; '.join(readers)}: {texts}, compared with the published version {old.version}; "
                f"nothing was published. Keep what the contract promised, or make its version {required} "
                f"(`kit diff` shows more)",
                port.contract.path,
            )


def _affected(context: Context, port: OutputPort, old: Contract, changes: tuple[ContractChange, ...]) -> list[str]:
    """Return the affected consumers of a port with owner, contact and columns."""
    mesh = context.mesh
    if not (readers := mesh.readers(port.id)):
        return []
    use = column_use(context.with_mesh(_with_old_columns(mesh, port, old)))[port.id]
    texts = []
    for reader in readers:
        used = partial(use.get, reader.name)
        columns = affected_columns(reader.name, mesh.port(port.id), old, port.contract, changes, used)
        if columns != ():
            read = f"reads {', '.join(columns)}" if columns else "may read any column"
            texts.append(f"{reader.name} ({reader.owner}, {reader.owner_contact}; {read})")
    return texts


def _with_old_columns(mesh: Mesh, port: OutputPort, old: Contract) -> Mesh:
    """Return the mesh with old and new columns at a port: code of consumers may use either."""
    new = tuple(column for column in port.contract.columns if column.name not in {known.name for known in old.columns})
    both = replace(port, contract=replace(port.contract, columns=(*old.columns, *new)))
    products = (replace(p, ports=tuple(both if item.id == port.id else item for item in p.ports)) for p in mesh.products)
    return replace(mesh, products=tuple(products))
