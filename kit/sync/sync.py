"""Generated files of the clone: `kit sync` writes them, `kit check` holds them against what they should be."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kit.contracts import Finding
from kit.core import Config, KitError, make_folder, read_text, resolve_inside, short, write_durably
from kit.lineage import hide_models, lineage, lineage_svg
from kit.mesh import DataProduct, Mesh, folders
from kit.quality import suite
from kit.storage import intake, product_facts
from kit.sync import dbt_yaml, readme, texts
from kit.sync.intake_safety import hazard

PICTURE = "lineage.svg"
HEADER = "# Written by `kit sync` for plain Intake. Do not edit: `kit check` compares it.\n"

_FIX = "run `kit sync`"
_SHOWN = 12  # lines of a diff among other problems


def sync(config: Config, mesh: Mesh) -> list[Path]:
    """Write the generated files that are not as they should be; gives those written.

    Nothing is written of a product with a template in its texts, which dbt or Intake would run; while there is one, or a
    product is broken, the files of the whole mesh stay as they are too.
    """
    written = []
    for path, text in wanted(config, mesh).items():
        try:
            same = not path.is_symlink() and read_text(path) == text
        except KitError:
            same = False
        if not same:
            make_folder(path.parent)
            write_durably(path, text)
            written.append(path)
    return written


def wanted(config: Config, mesh: Mesh) -> dict[Path, str]:
    """Every generated file that can be written, by its path, as it should be."""
    found = _generated(config, mesh)
    for product in mesh.products:
        found |= {path: text for path, text in _promised(product).items() if isinstance(text, str)}
    return found


def drifts(config: Config, mesh: Mesh) -> list[str]:
    """What `kit sync` would change, as a unified diff for each file."""
    found = []
    for path, text in _generated(config, mesh).items():
        found.append("a link stands in the place of " + short(path) if path.is_symlink() else _drift(path, text))
    for product in mesh.products:
        found += [_drift(path, text) for path, text in _promised(product).items() if isinstance(text, str)]
    return [text for text in found if text]


def check_generated(config: Config, mesh: Mesh) -> Iterator[Finding]:
    """Find the generated files that differ from the text the kit would write, or that it cannot write.

    No catalog is opened with Intake, which would run what a dangerous one tells it to.
    """
    expected = _generated(config, mesh)
    drawn = config.domains / PICTURE
    if drawn in expected and (drawn.is_symlink() or not drawn.is_file() or drawn.read_bytes() != expected[drawn].encode()):
        yield Finding(PICTURE, drawn, None, "differs from the lineage of the products", _FIX)
    for path in (config.root / intake.CATALOG, *(folder / intake.CATALOG for folder in folders(config.domains))):
        name = path.parent.name if path.parent != config.root else intake.CATALOG
        try:
            if finding := _wrong(name, path, expected.get(path), (config.root, config.storage)):
                yield finding
        except KitError as error:
            yield Finding.from_error(name, error)
    for product in mesh.products:
        for path, text in _promised(product).items():
            if isinstance(text, KitError):
                yield Finding.from_error(product.name, text)
            elif drift := _drift(path, text):
                lines = drift.splitlines()[2:]
                more = [f"… {len(lines) - _SHOWN} more lines; `kit sync --check` shows all"] if len(lines) > _SHOWN else []
                shown = "\n".join([*lines[:_SHOWN], *more])
                yield Finding(product.name, path, None, "differs from the contract", _FIX, detail=shown)


def check_writable(mesh: Mesh) -> list[Finding]:
    """Find what keeps generated files from being written."""
    found = [finding for product in mesh.products for finding in texts.check_templates(product)]
    for product in mesh.products:
        errors = (text for text in _promised(product).values() if isinstance(text, KitError))
        found += [Finding.from_error(product.name, error) for error in errors]
    return found


def _promised(product: DataProduct) -> dict[Path, str | KitError]:
    """The files of a product that say again what its contracts say, as they should be or why they cannot be."""
    if _runs(product):
        return {}
    wanted: dict[Path, str | KitError] = dict(dbt_yaml.files(product))
    wanted |= suite.files(product)
    wanted |= dict([readme.file(product)])
    for path in wanted:
        try:
            if path.is_symlink():
                raise KitError("is a link; put a file in its place", path)
            resolve_inside(product.folder, str(path.relative_to(product.folder)))
        except KitError as error:
            wanted[path] = error
    return wanted


def _runs(product: DataProduct) -> bool:
    """Whether generated files would hand a template on to dbt or Intake."""
    return next(texts.check_templates(product), None) is not None


def _drift(path: Path, text: str) -> str:
    """How a file would change; empty when it is as it should be."""
    now = read_text(path) if path.exists() else ""
    lines = difflib.unified_diff(now.splitlines(), text.splitlines(), short(path), short(path), n=1, lineterm="")
    return "\n".join(lines) or ("" if now == text else f"{short(path)}: the ends of lines differ")


def _wrong(name: str, path: Path, expected: str | None, allowed: tuple[Path, ...]) -> Finding | None:
    """What is wrong with one catalog; None is `expected` where a broken product leaves that open."""
    if not path.exists() and not path.is_symlink():
        return Finding(name, path, None, "is missing", _FIX) if expected else None
    if not path.is_symlink() and read_text(path) == expected:
        return None
    if found := hazard(path, allowed):
        return Finding(name, None, None, found)
    return Finding(name, path, None, "differs from product.odps.yaml and pyproject.toml", _FIX) if expected else None


def _generated(config: Config, mesh: Mesh) -> dict[Path, str]:
    """Every generated file by its path, as it should be."""
    # What is committed must not depend on the environment of whoever writes it.
    storage = Config.load(config.root, {}).storage
    plain = [product for product in mesh.products if not _runs(product)]
    products = {product.name: _about(product) for product in plain}
    whole = not mesh.broken and len(plain) == len(mesh.products)
    result = {config.root / intake.CATALOG: _catalog(products, config.root, config.root, storage)} if whole else {}
    if mesh.products and whole:
        result[config.domains / PICTURE] = lineage_svg(hide_models(lineage(mesh)), "From raw data to published ports") + "\n"
    for product in plain:
        path = product.folder / intake.CATALOG
        result[path] = _catalog({product.name: products[product.name]}, product.folder, config.root, storage)
    return result


def _about(product: DataProduct) -> dict[str, Any]:
    return {**product_facts(product), "ports": [port.name for port in product.ports]}


def _catalog(products: dict[str, dict[str, Any]], folder: Path, root: Path, storage: Path) -> str:
    if storage.is_relative_to(root):
        url = f"{{CATALOG_DIR}}/{os.path.relpath(storage, folder)}"
    elif storage.is_relative_to(Path.home()):
        url = f"~/{storage.relative_to(Path.home())}"  # each reader's own
    else:
        url = str(storage)
    return intake.mesh_catalog(dict(sorted(products.items())), url, HEADER)
