"""The names of the columns that a mesh hides: drafts write no values of such columns."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kit.core import KitError, mappings, read_yaml


def hidden_names(domains: Path) -> frozenset[str]:
    """Return the names of columns that any contract classifies as personal or masks, also of products that cannot be loaded."""
    names: set[str] = set()
    for path in domains.glob("*/*/*.odcs.yaml"):
        with suppress(KitError):
            tables = mappings(read_yaml(path).data.get("schema"))
            hidden = [item for table in tables for item in mappings(table.get("properties")) if _is_hidden(item)]
            names |= {str(item[field]) for item in hidden for field in ("name", "physicalName") if item.get(field)}
    return frozenset(names)


def _is_hidden(column: Mapping[str, Any]) -> bool:
    properties = mappings(column.get("customProperties"))
    return column.get("classification") == "personal" or any(item.get("property") == "mask" for item in properties)
