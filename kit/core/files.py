"""Files: strict reading, durable writing, checked paths."""

import errno
import hashlib
import json
import math
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from kit.core.errors import InvalidFile, Newer, Unreadable

Record = TypeVar("Record")

MAX_BYTES = 1_000_000
_NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)
"""Errors of a path at which no right or limit hides a file."""

_UNFINISHED = re.compile(r"\..+\.\d+")  # as `write_durably` names them
IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")


def read_text(path: Path) -> str:
    """Return the UTF-8 text of a file of at most `MAX_BYTES`; raises `InvalidFile`."""
    try:
        _refuse_pipe(path)
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InvalidFile(f"larger than {MAX_BYTES:,} bytes, the limit for files of a domain", path)
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidFile(f"not UTF-8 text (byte {error.start}); save it as UTF-8", path) from None
    except OSError as error:
        raise InvalidFile(f"cannot be read: {error.strerror}", path) from None


def _refuse_pipe(path: Path) -> None:
    """Raise `InvalidFile` for a named pipe, of which a read would wait for a writer."""
    if path.is_fifo():
        raise InvalidFile("cannot be read: it is a named pipe", path)


def time_id(moment: datetime) -> str:
    """Return a name for something made at this time, to the microsecond; names sort by time."""
    return f"{moment:%Y%m%dT%H%M%SZ-%f}"


def resolve_inside(folder: Path, relative: str) -> Path:
    """Return `folder / relative` with links resolved; raises `InvalidFile` for a path outside of the folder."""
    try:
        path = (folder / relative).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, or an invalid path
        raise InvalidFile(f"the path '{relative}' is invalid: {error}", folder) from None
    if not path.is_relative_to(folder.resolve()):
        raise InvalidFile(f"the path '{relative}' leaves the folder; keep files inside it", folder)
    return path


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sum(path: Path) -> None:
    """Write the SHA-256 of a file beside it, by which `has_sum` knows it again."""
    write_durably(path.with_suffix(".sha256"), f"{sha256(path)}\n")


def has_sum(path: Path) -> bool:
    """Return whether a file is as it was when `write_sum` was called for it."""
    try:
        return sha256(path) == path.with_suffix(".sha256").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return False


def to_json(value: Any, indent: int | None = 1) -> str:
    """Return JSON by RFC 8259: dates, NaN, Infinity and other values without a form in it as text, bytes in hexadecimal."""

    def dumps(value: Any) -> str:
        return json.dumps(value, indent=indent, default=_text, ensure_ascii=False, allow_nan=False) + "\n"

    try:
        return dumps(value)
    except (TypeError, ValueError):  # a key that is no text, a number that is not finite
        return dumps(_finite(value))


def _text(value: Any) -> str:
    return bytes(value).hex() if isinstance(value, bytes | bytearray | memoryview) else str(value)


def _finite(value: Any) -> Any:
    """The value with texts for numbers that are not finite, and for keys."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def read_json(path: Path) -> Any:
    """Return the JSON value of a file; raises `InvalidFile` when it is missing or no JSON, `Unreadable` for a missing right."""
    try:
        _refuse_pipe(path)
        return json.loads(path.read_bytes())
    except OSError as error:
        kind = InvalidFile if error.errno in _NO_FILE else Unreadable
        raise kind(f"cannot be read: {error.strerror}", path) from None
    except (ValueError, RecursionError) as error:
        raise InvalidFile(f"not valid JSON: {error}", path) from None


def read_record(path: Path, parse: Callable[[dict[str, Any]], Record], form: int = 1) -> Record:
    """Return what `parse` makes of a JSON object that the kit wrote; raises `InvalidFile` for a damaged one.

    A record without the key `form` has the form that is asked for. Raises `Newer` for another form, `Unreadable` for one
    that cannot be opened now.
    """
    try:
        data = read_json(path)
    except InvalidFile as error:
        if isinstance(error, Unreadable) or not path.is_file():
            raise
        raise InvalidFile("is cut off or overwritten" if path.stat().st_size else "is empty", path) from None
    if not isinstance(data, dict):
        raise InvalidFile("is no record of the kit: it holds no JSON object", path)
    if (found := data.pop("form", form)) != form:
        raise Newer(f"has the form {found}, which this kit does not know; update the kit of this clone", path)
    try:
        return parse(data)
    except (KeyError, TypeError, ValueError, AttributeError, LookupError) as error:
        missing = f"it has no {error}" if isinstance(error, KeyError) else "a value in it has another type"
        raise InvalidFile(f"is no such record of the kit: {missing}", path) from None


def exists(path: Path) -> bool:
    """Return whether there is anything at a path; True where that cannot be known, since the right to look is missing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last of a path that no file can have
        return False
    except OSError:
        return True
    return True


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder, so that another one can take its place; return its new path."""
    aside = path.with_name(f".{path.name}.damaged-{time_id(datetime.now(UTC))}")
    path.rename(aside)
    sync_path(path.parent)
    return aside


StepCallback = Callable[[str], None]
"""Called with the name of each step of a long operation when that step is done."""


def ignore_step(name: str) -> None:
    """`StepCallback` that does nothing."""


def sync_path(path: Path) -> None:
    """Flush a file or folder to the disk, so that it survives a power loss."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and its missing parents so that they survive a power loss."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_path(path.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove what `write_durably` left in a folder when its process was killed.

    The caller holds the lock under which the files of the folder are written.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        if _UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)


def write_durably(path: Path, content: str | bytes, step: StepCallback = ignore_step) -> None:
    """Replace a file atomically and durably: readers see the old or the new content, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            step(f"{path.name} written")
            os.fsync(file.fileno())
        step(f"{path.name} synced")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    step(f"{path.name} replaced")
    sync_path(path.parent)
