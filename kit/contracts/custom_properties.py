"""Custom properties: fields of the kit in documents of the standards."""

import re
from collections.abc import Mapping
from typing import Any

from kit.core import Document, Where

_CONTRACT = ("contract",)
_PLACES = {
    "majorOf": _CONTRACT, "quarantineLimit": _CONTRACT, "maxRowLoss": _CONTRACT, "csv": _CONTRACT, "reads": _CONTRACT,
    "modelEndpoints": _CONTRACT,     "mask": ("column",), "onFailure": ("column", "rule", "relationship"),
}  # fmt: skip
"""The kinds of objects in a contract that have each custom property of the kit."""


def custom_property(document: Document, where: Where, owner: dict[str, Any], name: str) -> tuple[Where, Any]:
    """Return the place and the value of a custom property of `owner`, an object at `where`.

    Both are empty when it has none; raises `InvalidFile` for a property written twice.
    """
    place: Where = ()
    value = None
    for position, item in enumerate(owner.get("customProperties") or []):
        if item.get("property") == name:
            entry: Where = (*where, "customProperties", position)
            if place:
                raise document.error(entry, f"'{name}' is written twice; keep one")
            place, value = (*entry, "value"), item.get("value")
    return place, value


def check_places(document: Document, where: Where, owner: Mapping[str, Any], kind: str) -> None:
    """Raise `InvalidFile` for a custom property of the kit under another spelling, or at an object that does not have it.

    Those of other tools are free, except at rules: the standard says that they change what a rule checks.
    """
    for position, item in enumerate(owner.get("customProperties") or []):
        place, written = [*where, "customProperties", position, "property"], str(item.get("property"))
        name = next((name for name in _PLACES if _letters(name) == _letters(written)), None)
        if name is None:
            if kind == "rule":
                raise document.error(place, f"'{written}' of a rule is not checked; there is: onFailure")
        elif kind not in _PLACES[name]:
            raise document.error(place, f"'{written}' has no effect at a {kind}; write it at a {' or '.join(_PLACES[name])}")
        elif name != written:
            raise document.error(place, f"'{written}' has no effect; write {name}")


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()
