"""The places outside of its domain folder from which a source reads."""

import os
import re
from pathlib import Path

from kit.contracts.custom_properties import custom_property
from kit.core import Document, IngestError

READS = "reads"
_UNSET = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def declared_places(document: Document, *, is_raw: bool) -> tuple[str, ...]:
    """Return the files and folders that a contract declares in its custom property `reads`; raises `InvalidFile`."""
    where, value = custom_property(document, [], document.data, READS)
    if not where:
        return ()
    if not is_raw:
        raise document.error(where, f"'{READS}' has no effect at a port; write it in the contract of a source")
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise document.error(where, f"{READS}: {value!r} is no list of files and folders; write [/data/inbox]")
    return tuple(value)


def place_of(text: str, folder: Path) -> Path:
    """Return the path of a declared place, relative to `folder`, with `~` and `$NAME` replaced.

    Raises `IngestError` for an environment variable that is not set.
    """
    path = os.path.expanduser(os.path.expandvars(text))  # noqa: PTH111  one that has no home directory is left as it is
    if unset := _UNSET.search(path):
        raise IngestError(f"reads '{text}', but the environment variable {unset[1] or unset[2]} is not set; set it")
    return folder / path


def reads_property(*places: str) -> dict[str, object]:
    """Return the custom property that declares places."""
    return {"property": READS, "value": list(places)}
