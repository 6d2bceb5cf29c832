"""Intake catalog files as text: through them plain Intake with polars reads the mesh, without the kit."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from kit.core import yaml_writer

CATALOG = "catalog.yaml"
LOCAL = "local.yaml"  # a product's catalog with absolute paths: polars' file URLs, which Intake makes, know no `..`
READERS = {"snapshot": "intake.readers.readers:PolarsParquet", "product": "intake.readers.readers:YAMLCatalogReader"}
DATATYPES = {"snapshot": "intake.readers.datatypes:Parquet", "product": "intake.readers.datatypes:CatalogFile"}
OUTPUTS = {"snapshot": "polars:LazyFrame", "product": "intake.readers.entry:Catalog"}


def of_products(products: Mapping[str, Mapping[str, Any]], storage: str, header: str = "") -> str:
    """A catalog of products, by name with what is known about each; `storage` is where their snapshots lie.

    Each entry leads to the catalog that a product's publications replace.
    """
    metadata = {
        name: {**_who(about), "domain": about["domain"], "ports": list(about["ports"])} for name, about in products.items()
    }
    catalog = LOCAL if ".." in storage.split("/") else CATALOG
    urls = {name: f"{storage}/products/{name}/{catalog}" for name in products}
    return header + _catalog("product", {}, metadata, urls, {})


def of_snapshot(manifest: Mapping[str, Any], folder: str = "{CATALOG_DIR}") -> str:
    """The catalog of one product: each port as the files of exactly one snapshot, with what is promised about it.

    `folder` is where the product's snapshots lie.
    """
    product = _who(manifest.get("about", {}))
    version, ports, urls = manifest["version"], {}, {}
    for name, entry in manifest["ports"].items():
        if "quarantine_of" in entry:
            continue
        facts = entry.get("about", {})
        ports[name] = {
            **product,
            "description": facts.get("description", ""),
            "contract_version": entry["contract_version"],
            "snapshot_version": version,
            "sla": facts.get("sla", {}),
            **({"deprecated_until": facts["end_of_life"]} if "end_of_life" in facts else {}),
            "columns": {column: kind for column, kind, _ in facts.get("columns", ())},
            **({"quarantined": entry["quarantined"]} if "quarantined" in entry else {}),
        }
        urls[name] = [f"{folder}/{version}/{name}/{file}" for file in sorted(entry["files"])]
    # A name is a name, even if it looks like a pattern.
    return _catalog("snapshot", product | {"snapshot_version": version}, ports, urls, {"glob": False})


def _who(about: Mapping[str, Any]) -> dict[str, Any]:
    """What it is and who stands for it; an early snapshot does not say."""
    return {
        "description": about.get("description", ""),
        "owner": about.get("owner", ""),
        "owner_contact": about.get("contact", ""),
    }


def _catalog(
    kind: str,
    metadata: Mapping[str, Any],
    entries: Mapping[str, Mapping[str, Any]],
    urls: Mapping[str, Any],
    options: Mapping[str, Any],
) -> str:
    # Intake 2 asks for every one of these keys, and follows data that has the name of an entry for ever: hence a name that
    # no port can have.
    data = {
        f"{name}-{kind}": {"datatype": DATATYPES[kind], "kwargs": {"url": url}, "metadata": {}, "user_parameters": {}}
        for name, url in urls.items()
    }
    readers = {
        name: {
            "reader": READERS[kind],
            "output_instance": OUTPUTS[kind],
            "kwargs": {"args": [f"{{data({name}-{kind})}}"], **options},
            "metadata": _plain(about),
            "user_parameters": {},
        }
        for name, about in entries.items()
    }
    catalog = {
        "version": 2,
        "metadata": _plain(metadata),
        "user_parameters": {},
        "aliases": {name: name for name in entries},
        "data": data,
        "entries": readers,
    }
    return "\n".join(_lines(catalog, "")) + "\n"


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata with a blank before a text that Intake would take for a reference to data, and follow."""
    return {
        key: f" {value}" if isinstance(value, str) and re.match(r"\{?data\(", value) else value
        for key, value in metadata.items()
    }


def _lines(mapping: Mapping[str, Any], indent: str) -> Iterable[str]:
    """A mapping as YAML, each of its lists on one line."""
    for key, value in mapping.items():
        name = yaml_writer.key(key)
        if isinstance(value, Mapping) and value:
            yield f"{indent}{name}:"
            yield from _lines(value, f"{indent}  ")
        elif isinstance(value, list | tuple):
            yield f"{indent}{name}: [{', '.join(yaml_writer.scalar(item) for item in value)}]"
        else:
            yield f"{indent}{name}: {yaml_writer.scalar(value)}"
