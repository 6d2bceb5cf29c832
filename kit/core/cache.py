"""Caches of computed texts and values, found again by a digest of the content they were computed from."""

import gc
import hashlib
import io
import os
import pickle
from contextlib import suppress
from dataclasses import is_dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

_PLAIN = {"datetime": ("date", "datetime", "timedelta"), "decimal": ("Decimal",), "pathlib": ("PosixPath",)}
"""Classes of values beside the data classes of the kit."""


class ContentCache:
    """One file of texts by key; without a file, texts are kept in memory only.

    A file that is missing, damaged, not writable or written by another version of the kit is ignored.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._used: dict[str, str] = {}

    @cached_property
    def _saved(self) -> dict[str, str]:
        return _load(self._file) if self._file else {}

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
        body = "".join(f"{key} {text}\n" for key, text in self._used.items()).encode()
        _write(self._file, f"{_checksum(body)}\n".encode() + body)


class ValueCache:
    """One file for each value, made of data classes of the kit and plain types; without a folder nothing is kept.

    A file that is missing, damaged, not writable or written by another version of the kit is ignored. Nothing else than such
    classes is made from a file, whatever is in it.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def lookup(self, name: str, key: str) -> Any:
        """Return the value that was put under a name with the same key; None for none."""
        if self._folder is None:
            return None
        try:
            head, _, body = (self._folder / name).read_bytes().partition(b"\n")
        except OSError:
            return None
        if head != f"{key} {_checksum(body)}".encode():
            return None
        collected = gc.isenabled()
        gc.disable()  # the new objects have no circles, and looking for some takes longer than making them
        try:
            return _Unpickler(io.BytesIO(body)).load()
        except Exception:  # a value of this kit does not fail
            return None
        finally:
            if collected:
                gc.enable()

    def put(self, name: str, key: str, value: object) -> None:
        """Keep a value under a name, in the place of the last one."""
        if self._folder is None:
            return
        body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        _write(self._folder / name, f"{key} {_checksum(body)}\n".encode() + body)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        found = None
        if module_name.startswith("kit.") or global_name in _PLAIN.get(module_name, ()):
            found = super().find_class(module_name, global_name)
        if found is None or (module_name.startswith("kit.") and not (isinstance(found, type) and is_dataclass(found))):
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is no class of values")
        return found


def _write(file: Path, content: bytes) -> None:
    """Replace a file atomically, if possible. It is not flushed to the disk: after a power loss its checksum is wrong."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(file)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


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
    """Return a digest of the files of the kit, on which what is computed depends."""
    digest = hashlib.sha256()
    for place, below, names in os.walk(Path(__file__).parents[1]):
        below[:] = sorted(set(below) - {"__pycache__"})
        for name in sorted(names):
            digest.update(Path(place, name).read_bytes())
    return digest.hexdigest()
