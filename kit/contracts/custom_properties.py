"""Custom properties: fields of the kit in documents of the standards."""

from typing import Any

from kit.core import Document, Where


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
