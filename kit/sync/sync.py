"""Generated files: `kit sync` writes them, `kit check` compares them with the text that the kit would write."""

import difflib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kit.contracts import Finding
from kit.core import Config, ContentCache, KitError, make_folder, resolve_inside, short, write_durably
from kit.dbt import committed
from kit.lineage import hide_models, lineage, lineage_svg
from kit.mesh import Context, DataProduct, Settled
from kit.quality import suite
from kit.storage import intake, product_facts
from kit.sync import dbt_yaml, readme, texts
from kit.sync.markers import has_conflict

PICTURE = "lineage.svg"
SETTLED = "generated"
"""The name under which products are remembered whose generated files are current."""
HEADER = "# Written by `kit sync` for plain Intake. Do not edit: `kit check` compares it.\n"

_DESCRIPTORS = "product.odps.yaml and pyproject.toml"
_DETAIL_LINES = 12


@dataclass(frozen=True)
class GeneratedFile:
    """A file that `kit sync` writes from its `source`.

    `owner` is a product, or the name of the file when it is about the whole mesh. `text` is the error that keeps the kit
    from writing the file, if there is one.
    """

    path: Path
    owner: str
    source: str
    text: str | KitError
    show_difference: bool = True

    @property
    def is_current(self) -> bool:
        """Whether the file on disk is the one that the kit would write."""
        content = self.text.encode() if isinstance(self.text, str) else None
        return not self.path.is_symlink() and self.path.is_file() and self.path.read_bytes() == content

    def difference(self) -> str:
        """Return the changes that `kit sync` would make, as a unified diff; empty when it would not write the file."""
        if isinstance(self.text, KitError) or self.is_current:
            return ""
        if self.path.is_symlink():
            return f"{short(self.path)}: is a link, which a file replaces"
        content = self.path.read_bytes().decode(errors="replace") if self.path.is_file() else ""
        old, new, name = content.splitlines(), self.text.splitlines(), short(self.path)
        lines = difflib.unified_diff(old, new, name, name, n=1, lineterm="")
        return "\n".join(lines) or f"{name}: the ends of lines differ"

    def check(self) -> Finding | None:
        """Return the finding when the file is not current, or cannot be written."""
        if isinstance(self.text, KitError):
            return Finding.from_error(self.owner, self.text)
        if self.is_current:
            return None
        if self.path.is_symlink():
            message = "is a link"
        elif not self.path.is_file():
            message = "is missing"
        elif has_conflict(self.path.read_bytes().decode(errors="replace")):
            message = "holds a git conflict"
        else:
            message = f"differs from {self.source}"
        lines = self.difference().splitlines()[2:] if self.show_difference else []
        if len(lines) > _DETAIL_LINES:
            lines[_DETAIL_LINES:] = [f"… {len(lines) - _DETAIL_LINES} more lines; `kit sync --check` shows all"]
        return Finding(self.owner, self.path, None, message, "run `kit sync`", detail="\n".join(lines))


def sync(context: Context) -> list[Path]:
    """Write the generated files that are not current, and return their paths.

    No file is written of a product with a template in its texts, which dbt or Intake would run; with such a product, or a
    broken one, the files about the whole mesh are not written either.
    """
    written = []
    for file in generated_files(context, changed=True):
        if isinstance(file.text, str) and not file.is_current:
            make_folder(file.path.parent)
            write_durably(file.path, file.text)
            written.append(file.path)
    return written


def wanted(context: Context) -> dict[Path, str]:
    """Return the text of every generated file that can be written, by its path."""
    return {file.path: file.text for file in generated_files(context) if isinstance(file.text, str)}


def drifts(context: Context) -> list[str]:
    """Return the changes that `kit sync` would make, as a unified diff for each file."""
    return list(filter(None, (file.difference() for file in generated_files(context, changed=True))))


def check_generated(context: Context) -> Iterator[Finding]:
    """Find the generated files that differ from the text that the kit would write, or that it cannot write.

    Files are compared as bytes. In particular no catalog is opened with Intake, which would run code that a changed catalog
    names.
    """
    return filter(None, (file.check() for file in generated_files(context, changed=True)))


def check_writable(context: Context) -> list[Finding]:
    """Find the texts and files that keep generated files from being written."""
    settled = Settled(context, SETTLED)
    changed = (product for product in context.mesh.products if product not in settled)
    findings = [finding for product in changed for finding in texts.check_templates(product)]
    errors = (file for file in generated_files(context, changed=True) if isinstance(file.text, KitError))
    return findings + [finding for file in errors if (finding := file.check())]


def generated_files(context: Context, *, changed: bool = False) -> Iterator[GeneratedFile]:
    """Yield every generated file of the mesh; those that may have `changed` without products in which all files are current."""
    for file in _files(context, changed):
        is_folder = file.path.is_dir() and not file.path.is_symlink()
        yield replace(file, text=KitError("is a folder; delete it, then run `kit sync`", file.path)) if is_folder else file


def _files(context: Context, changed: bool) -> Iterator[GeneratedFile]:
    # Committed files must not depend on the environment of the person who writes them.
    storage = Config.load(context.config.root, {}).storage
    settled = Settled(context, SETTLED)
    current = {product.name for product in context.mesh.products if product in settled}
    products = [
        product for product in context.mesh.products
        if product.name in current or next(texts.check_templates(product), None) is None
    ]  # fmt: skip
    facts = {product.name: _facts(product) for product in products}
    if not context.mesh.broken and len(products) == len(context.mesh.products):
        text = _catalog(facts, context.config.root, context.config.root, storage)
        yield GeneratedFile(context.config.root / intake.CATALOG, intake.CATALOG, _DESCRIPTORS, text, show_difference=False)
        text = _picture(context)
        path = context.config.domains / PICTURE
        yield GeneratedFile(path, PICTURE, "the lineage of the products", text, show_difference=False)
    for product in (product for product in products if not changed or product.name not in current):
        text = _catalog({product.name: facts[product.name]}, product.folder, context.config.root, storage)
        files = list(_product_files(product, text, context.config.root, storage))
        if all(file.is_current for file in files):
            settled.add(product)
        yield from files
    settled.save()


def _product_files(product: DataProduct, catalog: str, root: Path, storage: Path) -> Iterator[GeneratedFile]:
    path = product.folder / intake.CATALOG
    yield GeneratedFile(path, product.name, _DESCRIPTORS, catalog, show_difference=False)
    for path, text in committed.files(product.folder, root, storage).items():
        yield GeneratedFile(path, product.name, "the kit", _refused(product, path) or text, show_difference=False)
    files: dict[Path, str | KitError] = {
        **dict(dbt_yaml.files(product)),
        **suite.files(product),
        **dict([readme.file(product)]),
    }
    for path, made in files.items():
        yield GeneratedFile(path, product.name, "the contract", _refused(product, path) or made)


def _picture(context: Context) -> str:
    """Return the picture of the mesh; one of the same lineage is not arranged again, which takes longer than all texts."""
    graph, pictures = hide_models(lineage(context.mesh)), ContentCache(context.config.cache / "picture")
    key = ContentCache.key(repr(graph))
    known = pictures.lookup(key)
    if known is None:
        known = json.dumps(lineage_svg(graph, "From raw data to published ports") + "\n")
        pictures.put(key, known)
        pictures.save()
    return str(json.loads(known))


def _refused(product: DataProduct, path: Path) -> KitError | None:
    """Return why a file of a product is not written: people may have put a link in its place, or in its folder's."""
    try:
        if path.is_symlink():
            raise KitError("is a link; put a file in its place", path)
        resolve_inside(product.folder, str(path.relative_to(product.folder)))
    except KitError as error:
        return error
    return None


def _facts(product: DataProduct) -> dict[str, Any]:
    return {**product_facts(product), "ports": [port.name for port in product.ports]}


def _catalog(products: dict[str, dict[str, Any]], folder: Path, root: Path, storage: Path) -> str:
    """Return the text of a catalog in `folder`, which leads to the storage."""
    if storage.is_relative_to(root):
        url = f"{{CATALOG_DIR}}/{os.path.relpath(storage, folder)}"
    elif storage.is_relative_to(Path.home()):
        url = f"~/{storage.relative_to(Path.home())}"  # of each reader
    else:
        url = str(storage)
    return intake.mesh_catalog(dict(sorted(products.items())), url, HEADER)
