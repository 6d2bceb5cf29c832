"""An exploration notebook becomes a port of a data product: planned in a copy of the mesh, then written and built."""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit.build import BuildRequest, Outcome, check_due
from kit.contracts import Finding
from kit.core import Config, KitError, UnknownName, short, there_are
from kit.governance import check_mesh, check_secrets
from kit.mesh import Context, Mesh, Parameter, parameters
from kit.scaffold.asset_notebook import AssetNotebook, to_asset_notebook
from kit.scaffold.changes import FileChange, apply_changes
from kit.scaffold.mesh_copy import MeshCopy, mesh_copy
from kit.scaffold.new import add_port, check_new_port
from kit.scaffold.notebook_source import files_from_notebook
from kit.scaffold.port_source import origin_file
from kit.storage import index

Report = Callable[[str], None]
"""Receives one step of the work as a text."""


@dataclass(frozen=True)
class Promotion:
    """All changes by which the notebook at `path` makes a port; `place` is that of its copy in the domain folder.

    `reads` are ports with the version of their contract, `open_points` the texts and decisions that are left to a person.
    """

    path: Path
    port: str
    place: Path
    reads: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    asset: AssetNotebook
    changes: tuple[FileChange, ...]
    open_points: tuple[Finding, ...]

    def diff(self) -> Iterator[str]:
        """The changes to files that people write, as a unified diff; the asset notebook is compared with the explored one."""
        for change in self.changes:
            if change.path == self.place:
                names = short(self.path), short(self.place)
                yield from difflib.unified_diff(self.asset.before, self.asset.after, *names, lineterm="")
            elif not change.generated:
                yield from change.diff()

    def generated(self) -> Iterator[str]:
        """The changes to generated files, a line each."""
        return (f"{short(change.path)}  {change.line_counts()}" for change in self.changes if change.generated)

    def to_json(self) -> dict[str, Any]:
        """Return the promotion as JSON values."""
        return {
            "notebook": str(self.path),
            "port": self.port,
            "place": short(self.place),
            "reads": list(self.reads),
            "parameters": {item.name: {"type": item.type, "default": item.default} for item in self.parameters},
            "diff": list(self.diff()),
            "generated": list(self.generated()),
            "open_points": [str(finding) for finding in self.open_points],
        }


def plan_promotion(
    context: Context, notebook: str, product: str, port: str | None, frame: str | None, report: Report
) -> Promotion:
    """Find all changes by which a notebook makes a port of a product; runs the notebook once and writes nothing.

    The port is `port`, else that of its `kit.output`, else the name of the file; see `to_asset_notebook` for `frame`.
    `report` receives each step. Raises `KitError` for missing facts.
    """
    mesh = context.mesh
    path = origin_file(notebook)
    if path is None or path.suffix != ".ipynb":
        raise KitError(f"'{notebook}' is no notebook; name a file .ipynb")
    if product not in mesh.names:
        hint = there_are(product, mesh.names)
        raise UnknownName(f"there is no data product '{product}'; {hint}. `kit new {product} --from {notebook}` makes it")
    if mesh.product(product).partitions:
        raise KitError(
            f"'{product}' is cut into partitions; a contract drafted from one would not hold for all: write it by hand"
        )
    if secrets := list(check_secrets(context.config, product, [path])):
        raise KitError("\n  ".join(["nothing was written: the notebook holds secrets", *map(str, secrets)]))
    asset = to_asset_notebook(path, port, frame)
    check_new_port(mesh, f"{product}.{asset.port}")
    with mesh_copy(context.config, product) as copy:
        report(f"checks {short(path)} and runs it once")
        files = files_from_notebook(context, product, asset, path, copy.folder)
        report("drafts the contract, adds the port")
        changes = add_port(copy, mesh, files)
        place = copy.folder / "notebooks" / f"{asset.port}.ipynb"
        return Promotion(
            path=path, port=f"{product}.{asset.port}", place=copy.original_path(place),
            reads=tuple(f"{item['id']} {item['version']}" for item in files.output["inputContracts"]),
            parameters=tuple(parameters(place).values()), asset=asset, changes=changes,
            open_points=tuple(_open_points(copy, changes)),
        )  # fmt: skip


def _open_points(copy: MeshCopy, changes: tuple[FileChange, ...]) -> Iterator[Finding]:
    """Yield the findings of `kit check` in the new files."""
    whole = Context(copy.config).mesh
    product = whole.product(copy.product)
    providers = [item for item in whole.products if any(port.product == item.name for port in product.inputs)]
    new = {change.path for change in changes if change.before is None}
    for finding in check_mesh(Context(copy.config).with_mesh(Mesh((*providers, product), ()))):
        if finding.product == product.name and finding.path and finding.path.is_relative_to(copy.config.root):
            path = copy.original_path(finding.path)
            if path in new:
                yield replace(finding, path=path)


def promote(config: Config, promotion: Promotion, build: Callable[[Context, str], Outcome]) -> Outcome:
    """Write the files and `build` the product once. When that fails, restore every file and raise `KitError`."""
    undo = apply_changes(promotion.changes)
    name = promotion.port.partition(".")[0]
    try:
        outcome = build(Context(config), name)
        if outcome.failed:
            raise KitError(f"{outcome.message}\nnothing was written: the product could not be built with the new port")
    except BaseException:
        undo()
        restored = Context(config)
        index.write(restored)
        check_due(config, restored.mesh.product(name), BuildRequest())  # so that the last record is of the restored product
        raise
    return outcome
