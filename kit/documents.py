"""YAML files read strictly and held against a standard; what was found valid is remembered by its content."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from kit import schema
from kit.files import Document, make_folder, parse_yaml, read_text, write_durably


class Documents:
    """Reads the files of a mesh. What lies in the folder `cache` only saves time, never changes what is read.

    A file is known by its content alone, and only when it was valid: whatever is wrong with a file is found and told
    anew each time. A cache that is missing, damaged, written by another kit or not writable is passed over.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._file = cache / "documents" if cache else None
        self._known = _load(self._file) if self._file else {}
        self._used: dict[str, str] = {}

    def read(
        self, path: Path, standard: schema.Standard, before: Callable[[Document], None] = lambda document: None
    ) -> Document:
        """The file's data, valid by the standard; raises `InvalidFile` with file, line and field.

        `before` may refuse in better words what the standard would refuse.
        """
        text = read_text(path)
        key = hashlib.sha256(f"{standard}\n{text}".encode()).hexdigest()
        known = self._known.get(key)
        if known is not None:
            document = Document(path, text, json.loads(known))
        else:
            document = parse_yaml(path, text)
            before(document)
            schema.check(document, standard)
            known = json.dumps(document.data)
        self._used[key] = known
        return document

    def save(self) -> None:
        """Remember what was read, and only that: what belongs to no file any more is forgotten."""
        if self._file is None or self._used.keys() == self._known.keys():
            return
        body = "".join(f"{key} {known}\n" for key, known in self._used.items())
        with suppress(OSError):
            make_folder(self._file.parent)
            write_durably(self._file, f"{_seal(body.encode())}\n{body}")


def _load(file: Path) -> dict[str, str]:
    """What was remembered: the data as JSON by the digest of the file's content; nothing when it cannot be trusted."""
    try:
        seal, _, body = file.read_bytes().partition(b"\n")
    except OSError:
        return {}
    if seal != _seal(body).encode():
        return {}
    lines = (line.partition(" ") for line in body.decode().splitlines())
    return {key: known for key, _, known in lines}


def _seal(body: bytes) -> str:
    """Shows that a file is whole and was written by the kit as it is now."""
    return f"{_edition()} {hashlib.sha256(body).hexdigest()}"


@cache
def _edition() -> str:
    """A digest of everything that decides whether a file is valid: the kit's code and the JSON schema of contracts."""
    digest = hashlib.sha256()
    for path in (*sorted(Path(__file__).parent.glob("*.py")), schema.contract_schema()):
        digest.update(path.read_bytes())
    return digest.hexdigest()
