"""Files read strictly and written durably."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from kit.core.errors import InvalidFile

MAX_BYTES = 1_000_000
IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")


def read_text(path: Path) -> str:
    """UTF-8 text of a file of at most `MAX_BYTES`; raises `InvalidFile`."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InvalidFile(f"larger than {MAX_BYTES:,} bytes, which no file of a domain needs to be", path)
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidFile(f"not UTF-8 text (byte {error.start}); save it as UTF-8", path) from None
    except OSError as error:
        raise InvalidFile(f"cannot be read: {error.strerror}", path) from None


def time_id(moment: datetime) -> str:
    """A name for what was made at a moment; names sort as the moments do, to the microsecond."""
    return f"{moment:%Y%m%dT%H%M%SZ-%f}"


def inside(folder: Path, relative: str) -> Path:
    """`folder / relative`, refused when it leaves the folder, links followed; raises `InvalidFile`."""
    try:
        path = (folder / relative).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a circle of links, or no path at all
        raise InvalidFile(f"the path '{relative}' leads nowhere: {error}", folder) from None
    if not path.is_relative_to(folder.resolve()):
        raise InvalidFile(f"the path '{relative}' leaves the folder; keep files inside it", folder)
    return path


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_json(value: Any) -> str:
    """Indented JSON; dates and other values without a JSON form become their text."""
    return json.dumps(value, indent=1, default=str, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """The JSON value of a file; raises `InvalidFile` when it is missing or broken."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidFile(f"cannot be read: {error.strerror}", path) from None
    except (ValueError, RecursionError) as error:
        raise InvalidFile(f"not valid JSON: {error}", path) from None


OnStep = Callable[[str], None]
"""Told of each named point of a long operation as it is passed."""


def no_step(name: str) -> None:
    """A `OnStep` that listens to nothing."""


def sync_path(path: Path) -> None:
    """Flush a file or folder to the disk, so that it survives a power loss."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and those above it so that they survive a power loss."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_path(path.parent)


def write_durably(path: Path, content: str | bytes, step: OnStep = no_step) -> None:
    """Replace a file at once and for good: readers see the old or the new content, never a part."""
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
