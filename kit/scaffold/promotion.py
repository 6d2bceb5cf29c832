"""An exploration notebook becomes a port of a data product: planned in a mirror of the mesh, then written and built."""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit.build import BuildRequest, Outcome, check_due
from kit.core import Config, KitError, UnknownName, short
from kit.governance import check_mesh
from kit.mesh import Context, Mesh, Parameter, parameters
from kit.scaffold.asset_notebook import AssetNotebook, to_asset_notebook
from kit.scaffold.changes import FileChange, apply_changes
from kit.scaffold.mesh_copy import mesh_copy, original_path
from kit.scaffold.new import check_new_port, grown
from kit.scaffold.port_source import file_of, from_notebook
from kit.storage import index

Say = Callable[[str], None]


@dataclass(frozen=True)
class Promotion:
    """What it takes that the notebook at `path` makes a port.

    `reads` are ports with the version of their contract, `open_points` what a person still has to write or decide, each
    with its place.
    """

    path: Path
    port: str
    place: Path
    reads: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    adopted: AssetNotebook
    changes: tuple[FileChange, ...]
    open_points: tuple[str, ...]

    def diff(self) -> Iterator[str]:
        """The changes to what people write, as a unified diff; the asset notebook is compared with the one explored."""
        for change in self.changes:
            if change.path == self.place:
                names = short(self.path), short(self.place)
                yield from difflib.unified_diff(self.adopted.before, self.adopted.after, *names, lineterm="")
            elif not change.generated:
                yield from change.diff()

    def generated(self) -> Iterator[str]:
        """The changes to what `kit sync` writes, a line each."""
        return (f"{short(change.path)}  {change.line_counts()}" for change in self.changes if change.generated)

    def to_json(self) -> dict[str, Any]:
        """As data for scripts."""
        return {
            "notebook": str(self.path),
            "port": self.port,
            "place": short(self.place),
            "reads": list(self.reads),
            "parameters": {item.name: {"type": item.type, "default": item.default} for item in self.parameters},
            "diff": list(self.diff()),
            "generated": list(self.generated()),
            "open_points": list(self.open_points),
        }


def plan_promotion(
    config: Config, mesh: Mesh, notebook: str, product: str, port: str | None, frame: str | None, say: Say
) -> Promotion:
    """Find out what it takes that a notebook makes a port of a product; nothing is written, but the notebook is run once.

    The port is called `port`, else as its `kit.output` says or as the file; it gets the `frame` of that name, else what
    the `kit.output` or the last cell hands over. Raises `KitError` with what is missing.
    """
    path = file_of(notebook)
    if path is None or path.suffix != ".ipynb":
        raise KitError(f"'{notebook}' is no notebook; name a file .ipynb")
    if product not in mesh.names:
        near = difflib.get_close_matches(product, mesh.names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(mesh.names) or 'none'}."
        raise UnknownName(f"there is no data product '{product}'; {hint} `kit new {product} --from {notebook}` makes it")
    if mesh.product(product).partitions:
        raise KitError(
            f"'{product}' is cut into partitions; a contract drafted from one would not hold for all: write it by hand"
        )
    adopted = to_asset_notebook(path, port, frame)
    check_new_port(mesh, f"{product}.{adopted.port}")
    with mesh_copy(config, product) as there:
        say(f"looks at {short(path)} and runs it once")
        piece = from_notebook(config, mesh, product, adopted, path, there.domains / product)
        say("drafts the contract, adds the port")
        changes = grown(config, there, mesh, product, piece)
        place = there.domains / product / "notebooks" / f"{adopted.port}.ipynb"
        return Promotion(
            path=path, port=f"{product}.{adopted.port}", place=config.root / place.relative_to(there.root),
            reads=tuple(f"{item['id']} {item['version']}" for item in piece.output["inputContracts"]),
            parameters=tuple(parameters(place).values()), adopted=adopted, changes=changes,
            open_points=tuple(_open_points(config, there, product, changes)),
        )  # fmt: skip


def _open_points(config: Config, there: Config, product: str, changes: tuple[FileChange, ...]) -> Iterator[str]:
    """Yield the findings of `kit check` in the new files."""
    whole = Context(there).mesh
    mine = whole.product(product)
    providers = [item for item in whole.products if any(port.product == item.name for port in mine.inputs)]
    new = {change.path for change in changes if change.before is None}
    for finding in check_mesh(there, Mesh((*providers, mine), ())):
        path = original_path(config, there, finding.path)
        if finding.product == product and path in new:
            yield str(replace(finding, path=path))


def promote(config: Config, promotion: Promotion, build: Callable[[Context, str], Outcome]) -> Outcome:
    """Write the files and `build` the product once. When that fails every file is as it was, and `KitError` says why."""
    undo = apply_changes(promotion.changes)
    name = promotion.port.partition(".")[0]
    try:
        outcome = build(Context(config), name)
        if outcome.failed:
            raise KitError(f"{outcome.message}\nnothing was written: the product could not be built with the new port")
    except BaseException:
        undo()
        mesh = Context(config).mesh
        index.write(config, mesh)
        check_due(config, mesh.product(name), BuildRequest())  # the product is what it was, and its last record says so
        raise
    return outcome
