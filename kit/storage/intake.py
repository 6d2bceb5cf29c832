"""Intake catalogs as YAML text, with which plain Intake and polars read the mesh without the kit."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from kit.core import yaml_writer

CATALOG = "catalog.yaml"
READERS = {"snapshot": "intake.readers.readers:PolarsParquet", "product": "intake.readers.readers:YAMLCatalogReader"}
DATATYPES = {"snapshot": "intake.readers.datatypes:Parquet", "product": "intake.readers.datatypes:CatalogFile"}
OUTPUTS = {"snapshot": "polars:LazyFrame", "product": "intake.readers.entry:Catalog"}

# `{CATALOG_DIR}` is a URL: for `file://` DuckDB's reader wants an extension from the network, and polars refuses `..` in it.
# Snapshots are therefore named by the path in that URL, which this entry returns as the second of two values.
_FOLDER = "catalog-folder"
_FOLDER_ENTRY = {
    "reader": "fsspec.core:url_to_fs",
    "output_instance": "builtins:tuple",
    "kwargs": {"url": "{CATALOG_DIR}"},
    "metadata": {},
    "user_parameters": {},
}


def mesh_catalog(products: Mapping[str, Mapping[str, Any]], storage: str, header: str = "") -> str:
    """Return the catalog of all products; `products` maps names to summaries, `storage` is the URL of the storage folder.

    Each entry refers to the catalog that the product's publications replace.
    """
    metadata = {
        name: {**_ownership(facts), "domain": facts["domain"], "ports": list(facts["ports"])}
        for name, facts in products.items()
    }
    urls = {name: f"{storage}/products/{name}/{CATALOG}" for name in products}
    return header + _catalog("product", {}, metadata, urls)


def snapshot_catalog(manifest: Mapping[str, Any]) -> str:
    """Return the catalog of one product: each port with its folder in one snapshot and with facts of its contract.

    The catalog lies beside the snapshots.
    """
    product = _ownership(manifest.get("about", {}))
    version, ports, urls = manifest["version"], {}, {}
    for name, port in manifest["ports"].items():
        if "quarantine_of" in port:
            continue
        facts = port.get("about", {})
        ports[name] = {
            **product,
            "description": facts.get("description", ""),
            "contract_version": port["contract_version"],
            "snapshot_version": version,
            "sla": facts.get("sla", {}),
            **({"status": facts["status"]} if "status" in facts else {}),
            **({"last_day": facts["end_of_life"]} if "end_of_life" in facts else {}),
            "columns": {column: kind for column, kind, _ in facts.get("columns", ())},
            **({"quarantined": port["quarantined"]} if "quarantined" in port else {}),
        }
        # A folder: of several files, pandas and DuckDB take neither a list nor the same pattern.
        urls[name] = f"{{folder[1]}}/{version}/{name}"
    return _catalog("snapshot", product | {"snapshot_version": version}, ports, urls)


def _ownership(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return description, owner and contact; early snapshots contain none of them."""
    return {
        "description": facts.get("description", ""),
        "owner": facts.get("owner", ""),
        "owner_contact": facts.get("contact", ""),
    }


def _catalog(
    kind: str,
    metadata: Mapping[str, Any],
    entries: Mapping[str, Mapping[str, Any]],
    urls: Mapping[str, str],
) -> str:
    of_snapshot = kind == "snapshot"
    folder = {"folder": f"{{data({_FOLDER})}}"} if of_snapshot else {}
    options = {"glob": False} if of_snapshot else {}  # a path is literal, even one that looks like a pattern
    # Intake 2 requires each of these keys, and loops for ever over data that has the name of an entry: the name of the data
    # is therefore one that no port can have.
    data = {
        f"{name}-{kind}": {"datatype": DATATYPES[kind], "kwargs": {"url": url}, "metadata": {}, "user_parameters": folder}
        for name, url in urls.items()
    }
    readers = {
        name: {
            "reader": READERS[kind],
            "output_instance": OUTPUTS[kind],
            "kwargs": {"args": [f"{{data({name}-{kind})}}"], **options},
            "metadata": _plain(facts),
            "user_parameters": {},
        }
        for name, facts in entries.items()
    }
    catalog = {
        "version": 2,
        "metadata": _plain(metadata),
        "user_parameters": {},
        "aliases": {name: name for name in entries},
        "data": data,
        "entries": ({_FOLDER: _FOLDER_ENTRY} if of_snapshot else {}) | readers,
    }
    return "\n".join(_lines(catalog, "")) + "\n"


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata with a blank before each text that Intake would resolve as a reference to data."""
    return {
        key: f" {value}" if isinstance(value, str) and re.match(r"\{?data\(", value) else value
        for key, value in metadata.items()
    }


def _lines(mapping: Mapping[str, Any], indent: str) -> Iterable[str]:
    """Yield a mapping as YAML lines, with each list on one line."""
    for key, value in mapping.items():
        name = yaml_writer.key(key)
        if isinstance(value, Mapping) and value:
            yield f"{indent}{name}:"
            yield from _lines(value, f"{indent}  ")
        elif isinstance(value, list | tuple):
            yield f"{indent}{name}: [{', '.join(yaml_writer.scalar(item) for item in value)}]"
        else:
            yield f"{indent}{name}: {yaml_writer.scalar(value)}"
