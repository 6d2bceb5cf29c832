"""The digest of the code of a product: of all files that determine its data and promises, without the texts for people."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from kit.build.table_code import TEXT_FILES, digest, folders_below, may_open
from kit.contracts import promised_version, without_texts
from kit.core import Config, ContentCache, KitError, read_json, read_yaml
from kit.dbt.descriptions import without_descriptions
from kit.dbt.project import DESCRIBED_FOLDERS, YAML, read_loosely
from kit.mesh import DESCRIPTOR, DataProduct

_DESCRIBED = (*DESCRIBED_FOLDERS, ("macro-paths", "macros"))


def data_code(config: Config, product: DataProduct, files: Mapping[str, str] | None = None) -> str:
    """Return the digest of the code of a product; `files` are the digests of its files by relative path, if they are known.

    Owners, descriptions and tags in descriptor, contracts and YAML of dbt are no part of it, nor are the patches of versions,
    unless a notebook may open these files.
    """
    files = product.code_files() if files is None else files
    if any(port.notebook and may_open(TEXT_FILES, product, port.notebook, files) for port in product.ports):
        return digest(sorted(files.items()))
    docs = {path for path in _described(product, files) if path.endswith(".md")}  # `docs` blocks of dbt: texts as a whole
    readers, cache = _readers(product, files), ContentCache(config.cache / f"texts-{product.name}")
    found = {
        path: _digest(product.folder / path, value, readers.get(path), cache)
        for path, value in files.items()
        if path not in docs
    }
    cache.save()
    return digest(sorted(found.items()))


def need_code(path: Path) -> str:
    """Return the digest of a consumer's contract without its texts."""
    return digest(_contract(path))


def _digest(path: Path, value: str, reader: Callable[[Path], Any] | None, cache: ContentCache) -> str:
    """The digest of a file without its texts, by that of the whole file; a file is parsed once."""
    if reader is None:
        return value
    key = cache.key(reader.__name__, value)
    found = cache.lookup(key)
    if found is None:
        try:
            found = digest(reader(path))
        except (KitError, OSError, ValueError):  # what is wrong with it counts
            found = value
        cache.put(key, found)
    return found


def _readers(product: DataProduct, files: Mapping[str, str]) -> dict[str, Callable[[Path], Any]]:
    """The files with texts by path, each with the function that reads it without them."""
    readers: dict[str, Callable[[Path], Any]] = {}
    readers |= {path: _dbt_yaml for path in _described(product, files) if path.endswith(YAML)}
    contracts = [*(source.contract for source in product.sources), *(port.contract for port in product.ports)]
    readers |= {str(contract.path.relative_to(product.folder)): _contract for contract in contracts}
    readers |= {str(port.suite.relative_to(product.folder)): _suite for port in product.ports}
    return readers | {DESCRIPTOR: _descriptor}


def _described(product: DataProduct, files: Iterable[str]) -> list[str]:
    """The files in the folders whose YAML describes resources of dbt."""
    if not product.has_dbt:
        return []
    settings = read_loosely(product.folder / "dbt_project.yml")
    folders = tuple(part for key, default in _DESCRIBED for part in folders_below(settings, key, default))
    return [path for path in files if path.startswith(folders)]


def _contract(path: Path) -> Any:
    return without_texts(read_yaml(path).data, "odcs")


def _descriptor(path: Path) -> Any:
    return without_texts(read_yaml(path).data, "odps")


def _suite(path: Path) -> Any:
    suite = read_json(path)
    meta = suite.get("meta") or {}
    return {**suite, "meta": {**meta, "version": promised_version(meta.get("version"))}}


def _dbt_yaml(path: Path) -> Any:
    data = read_loosely(path)
    exposed = {key: value for key, value in data.items() if key != "exposures"}
    return without_descriptions(exposed) if data else path.read_text(encoding="utf-8", errors="replace")
