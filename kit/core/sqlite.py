"""SQLite files of other programs, looked at without changing them."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from kit.core.errors import Unreadable

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR)
_HEADER = b"SQLite format 3\0"


def sqlite_damage(path: Path, table: str, seconds: float = 1) -> str:
    """Return what is wrong with an SQLite file that has a `table`; empty when nothing was found within some seconds.

    Raises `Unreadable` for a file that cannot be opened.
    """
    end = time.monotonic() + seconds
    try:
        with path.open("rb") as file:
            start = file.read(len(_HEADER))
        if not start:
            return ""  # a program that creates the file writes to it later
        if start != _HEADER:
            return "is no SQLite file"
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=seconds)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > end, 10_000)
            if connection.execute("select 1 from sqlite_master where name = ?", [table]).fetchone() is None:
                return "is that of something else"
            (answer,) = connection.execute("pragma quick_check(1)").fetchone()
            return "" if answer == "ok" else f"is damaged: {answer.partition(chr(10))[0]}"
    except IsADirectoryError:
        return "is a folder"
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}", path) from None
    except sqlite3.Error as error:
        return "is damaged" if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED else ""


def sqlite_rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query over an SQLite file; none when there is no file, or it has not what the query reads."""
    if not path.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.Error:
        return []
