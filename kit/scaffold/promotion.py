"""An exploration notebook becomes a port of a data product: planned in a copy of the mesh, then written and built."""

import difflib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit.build import BuildRequest, Outcome, check_due
from kit.contracts import NOT_OFFERED, Finding
from kit.core import Config, KitError, UnknownName, short, there_are
from kit.governance import check_mesh, check_secrets
from kit.mesh import DESCRIPTOR, Context, DataProduct, Mesh, OutputPort, Parameter, parameters
from kit.notebooks import Declared
from kit.scaffold.asset_notebook import AssetNotebook, Promoted, origin_name, script, to_asset_notebook
from kit.scaffold.changes import FileChange, apply_changes
from kit.scaffold.mesh_copy import MeshCopy, mesh_copy
from kit.scaffold.new import add_port
from kit.scaffold.notebook_source import files_from_notebook
from kit.scaffold.port_files import PortFiles, add_to_descriptor, write
from kit.scaffold.port_source import origin_file
from kit.scaffold.redraft import redraft
from kit.storage import index

Report = Callable[[str], None]
"""Receives one step of the work as a text."""


@dataclass(frozen=True)
class Promotion:
    """All changes by which the notebook at `path` makes a port; `place` is that of its copy in the domain folder.

    `reads` are ports with the version of their contract, `open_points` the texts and decisions that are left to a person.
    There are no changes when the port is made by the same code already. `is_draft` says that other products may not read it
    yet.
    """

    path: Path
    port: str
    place: Path
    reads: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    asset: AssetNotebook
    changes: tuple[FileChange, ...]
    open_points: tuple[Finding, ...] = ()
    is_draft: bool = False

    @property
    def is_unchanged(self) -> bool:
        """Whether the notebook makes the port as it is, so that there is nothing to write."""
        return not self.changes

    def describe_offer(self) -> str:
        """Return what is to do before other products may read the port; empty when they may."""
        if not self.is_draft:
            return ""
        contract = short(self.place.parents[1] / "contracts" / f"{self.place.stem}.odcs.yaml")
        return f"it is a draft, {NOT_OFFERED['draft']}: replace each TODO in {contract}, and write 'status: active' there"

    def diff(self) -> Iterator[str]:
        """The changes to files that people write, as a unified diff; the asset notebook is compared with the explored one."""
        for change in self.changes:
            if change.path == self.place:
                before, origin = self.asset.before, self.path
                if change.before is not None:
                    before, origin = tuple(script(json.loads(change.before))), self.place
                yield from difflib.unified_diff(before, self.asset.after, short(origin), short(self.place), lineterm="")
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
            "unchanged": self.is_unchanged,
            "draft": self.is_draft,
        }


def plan_promotion(
    context: Context,
    notebook: str,
    product: str,
    port: str | None,
    frame: str | None,
    report: Report,
    *,
    replace_edited: bool = False,
) -> Promotion:
    """Find all changes by which a notebook makes a port of a product; runs the notebook once and writes nothing.

    The port is `port`, else that of its `kit.output`, else the name of the file; see `to_asset_notebook` for `frame`.
    A port that an earlier promotion of the notebook made gets its present code; with `replace_edited` also one whose notebook
    a person wrote, or edited since. `report` receives each step. Raises `KitError` for missing facts.
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
    named = origin_name(path, context.config.root)
    asset = to_asset_notebook(path, port, frame, named)
    present = mesh.product(product).port(asset.port)
    if present is not None:
        code = _code_to_replace(present, path, named, asset, replace_edited=replace_edited)
        if code == asset.after and present.notebook:
            return Promotion(
                path, present.id, present.notebook, tuple(f"{item.name} {item.version}" for item in present.reads),
                tuple(parameters(present.notebook).values()), asset, (), is_draft=present.contract.status == "draft",
            )  # fmt: skip
    with mesh_copy(context.config, product) as copy:
        report(f"checks {short(path)} and runs it once")
        files = files_from_notebook(context, product, asset, path, copy.folder, again=present is not None)
        if present is None:
            report("drafts the contract, adds the port")
            changes = add_port(copy, mesh, files)
        else:
            report("compares the contract, replaces the notebook")
            changes = _replace_port(copy, files, asset.port)
        place = copy.folder / "notebooks" / f"{asset.port}.ipynb"
        made = DataProduct.load(copy.folder).port(asset.port)
        return Promotion(
            path=path, port=f"{product}.{asset.port}", place=copy.original_path(place),
            reads=tuple(f"{item['id']} {item['version']}" for item in files.output["inputContracts"]),
            parameters=tuple(parameters(place).values()), asset=asset, changes=changes,
            open_points=(*_installs(context.config, product, path, asset), *_open_points(copy, changes, asset.port)),
            is_draft=made is not None and made.contract.status == "draft",
        )  # fmt: skip


def _code_to_replace(
    present: OutputPort, path: Path, named: str, asset: AssetNotebook, *, replace_edited: bool
) -> tuple[str, ...]:
    """Return the lines of the notebook that makes a port; raises `KitError` for one that this promotion may not replace."""
    if present.notebook is None:
        raise KitError(f"'{present.id}' is made by a dbt model; choose another name with --port")
    if present.notebook.resolve() == path.resolve():
        product = present.id.partition(".")[0]
        raise KitError(f"{short(path)} makes '{present.id}' already; edit it there, and build it with `kit run {product}`")
    promoted = Promoted.from_notebook(present.notebook)
    if promoted.code == asset.after or replace_edited:
        return promoted.code
    if promoted.origin != named:
        made = f"was promoted from {promoted.origin}" if promoted.origin else "was never promoted"
        raise KitError(
            f"'{present.id}' is made by {short(present.notebook)}, which {made}; choose another name with --port, or replace "
            "that notebook with --replace"
        )
    if promoted.is_edited:
        raise KitError(
            f"{short(present.notebook)} was edited after its promotion; carry the edits over into {short(path)}, then "
            "replace it with --replace"
        )
    return promoted.code


def _replace_port(copy: MeshCopy, files: PortFiles, port: str) -> tuple[FileChange, ...]:
    """Replace the notebook of a port and what its product says of its inputs; add columns that are new to its contract.

    Raises `KitError` where the table does not fit the contract, which only people can decide.
    """
    path = f"contracts/{port}.odcs.yaml"
    drafted = redraft(copy.folder / path, str(files.files[path]))
    if drafted.differences:
        lines = ["the table does not fit the contract of the port; change the contract or the notebook first:"]
        raise KitError("\n  ".join([*lines, *map(str, drafted.differences)]))
    write(copy.folder / path, drafted.text)
    add_to_descriptor(copy.folder / DESCRIPTOR, files)
    return copy.changes()


def _installs(config: Config, product: str, path: Path, asset: AssetNotebook) -> Iterator[Finding]:
    """Yield a finding for each line that installed packages which the mesh does not declare."""
    declared = Declared.from_root(config.root)
    for install in asset.installs:
        unknown = [text for text in install.requirements if not declared.has(text)]
        if unknown or not install.requirements:
            fix = f"add {', '.join(map(repr, unknown))} to the dependencies in pyproject.toml" if unknown else ""
            message = f"`{install.text}` is left out, since no build installs packages"
            yield Finding(product, path, install.line, message, fix or "declare what it installs in pyproject.toml",
                          cell=install.cell)  # fmt: skip


def _open_points(copy: MeshCopy, changes: tuple[FileChange, ...], port: str) -> Iterator[Finding]:
    """Yield the findings of `kit check` in the new files, and in those of people that an earlier promotion wrote."""
    whole = Context(copy.config).mesh
    product = whole.product(copy.product)
    providers = [item for item in whole.products if any(port.product == item.name for port in product.inputs)]
    is_new = any(change.path.name == f"{port}.ipynb" and change.before is None for change in changes)
    new = {change.path for change in changes if change.before is None or not (is_new or change.generated)}
    new.add(copy.original_path(copy.folder / "contracts" / f"{port}.odcs.yaml"))
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
