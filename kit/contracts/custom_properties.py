"""Custom properties: where the standards leave room, the words that only this kit knows."""

from typing import Any

from kit.core import Document, Where


def custom_property(document: Document, where: Where, owner: dict[str, Any], name: str) -> tuple[Where, Any]:
    """The value of a custom property of `owner`, which stands at `where`, and where it stands itself.

    Both are empty when it is not given; raises `InvalidFile` when it is given twice.
    """
    found: tuple[Where, Any] = ((), None)
    for position, item in enumerate(owner.get("customProperties") or []):
        if item.get("property") == name:
            here: Where = (*where, "customProperties", position)
            if found[0]:
                raise document.error(here, f"'{name}' stands twice; keep one")
            found = ((*here, "value"), item.get("value"))
    return found
