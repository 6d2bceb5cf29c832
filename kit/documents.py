"""YAML files read strictly and held against a standard; what was found valid is remembered by its content."""

import json
from collections.abc import Callable
from pathlib import Path

from kit import schema
from kit.files import read_text
from kit.remembered import Remembered
from kit.yaml import Document, parse_yaml


class Documents:
    """Reads the files of a mesh. What lies in the folder `cache` only saves time, never changes what is read.

    A file is known by its content alone, and only when it was valid: whatever is wrong with a file is found and told
    anew each time.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._remembered = Remembered(cache / "documents" if cache else None)

    def read(
        self, path: Path, standard: schema.Standard, before: Callable[[Document], None] = lambda document: None
    ) -> Document:
        """The file's data, valid by the standard; raises `InvalidFile` with file, line and field.

        `before` may refuse in better words what the standard would refuse.
        """
        text = read_text(path)
        key = Remembered.key(schema.digest(standard), text)
        known = self._remembered.get(key)
        if known is not None:
            return Document(path, text, json.loads(known))
        document = parse_yaml(path, text)
        before(document)
        schema.check(document, standard)
        self._remembered.keep(key, json.dumps(document.data))
        return document

    def save(self) -> None:
        """Remember what was read, and only that: what belongs to no file any more is forgotten."""
        self._remembered.save()
