"""What was worked out before, known by the content it was worked out from."""

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path

from kit.core.files import make_folder, write_durably


class ContentCache:
    """One file of texts by key, which only saves time; without a file nothing is remembered.

    A file that is missing, damaged, written by another kit or not writable is passed over.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known = _load(file) if file else {}
        self._used: dict[str, str] = {}

    @staticmethod
    def key(*parts: str) -> str:
        """The key for what is worked out from `parts` alone."""
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def get(self, key: str) -> str | None:
        """The text kept under a key by this process or an earlier one."""
        text = self._used.get(key, self._known.get(key))
        if text is not None:
            self._used[key] = text
        return text

    def keep(self, key: str, text: str) -> None:
        """Remember a text, which must be one line."""
        self._used[key] = text

    def save(self) -> None:
        """Write what was asked for or kept, and only that: what nobody asks for any more is forgotten."""
        if self._file is None or self._used.keys() == self._known.keys():
            return
        body = "".join(f"{key} {text}\n" for key, text in self._used.items())
        with suppress(OSError):
            make_folder(self._file.parent)
            write_durably(self._file, f"{_seal(body.encode())}\n{body}")


def _load(file: Path) -> dict[str, str]:
    """The texts by key; none when the file cannot be trusted."""
    try:
        seal, _, body = file.read_bytes().partition(b"\n")
    except OSError:
        return {}
    if seal != _seal(body).encode():
        return {}
    lines = (line.partition(" ") for line in body.decode().splitlines())
    return {key: text for key, _, text in lines}


def _seal(body: bytes) -> str:
    """Shows that a file is whole and was written by the kit as it is now."""
    return f"{_edition()} {hashlib.sha256(body).hexdigest()}"


@cache
def _edition() -> str:
    """A digest of the kit's code, which decides what is worked out."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
