"""Content cache: computed texts, found again by a digest of the content they were computed from."""

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path

from kit.core.files import make_folder, write_durably


class ContentCache:
    """One file of texts by key; without a file, texts are kept in memory only.

    A file that is missing, damaged, not writable or written by another version of the kit is ignored.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._saved = _load(file) if file else {}
        self._used: dict[str, str] = {}

    @staticmethod
    def key(*parts: str) -> str:
        """Return the key of a text that is computed from `parts` alone."""
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def lookup(self, key: str) -> str | None:
        """Return the text that this process or an earlier one put under a key, or None; a text that is found is kept."""
        text = self._used.get(key, self._saved.get(key))
        if text is not None:
            self._used[key] = text
        return text

    def put(self, key: str, text: str) -> None:
        """Add a text, which must be one line."""
        self._used[key] = text

    def save(self) -> None:
        """Write the texts that this process looked up or put; others are dropped."""
        if self._file is None or self._used.keys() == self._saved.keys():
            return
        body = "".join(f"{key} {text}\n" for key, text in self._used.items())
        with suppress(OSError):
            make_folder(self._file.parent)
            write_durably(self._file, f"{_checksum(body.encode())}\n{body}")


def _load(file: Path) -> dict[str, str]:
    """Return the texts by key; none when the file is damaged or from another version of the kit."""
    try:
        checksum, _, body = file.read_bytes().partition(b"\n")
    except OSError:
        return {}
    if checksum != _checksum(body).encode():
        return {}
    lines = (line.partition(" ") for line in body.decode().splitlines())
    return {key: text for key, _, text in lines}


def _checksum(body: bytes) -> str:
    """Return the first line of a file: it depends on the content and on the code of the kit."""
    return f"{_code_digest()} {hashlib.sha256(body).hexdigest()}"


@cache
def _code_digest() -> str:
    """Return a digest of the kit's code, on which the computed texts depend."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
