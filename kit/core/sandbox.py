"""The sandbox of a domain's SQL: it reads declared files, writes in declared folders and changes no setting."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kit.core import database as work

_SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",  # otherwise SQL can read Python variables
    "enable_external_access": "false",
    "lock_configuration": "true",
}
_PATH = re.compile(r'Cannot access (?:file|directory) "([^"]*)" - file system operations are disabled')
_SNAPSHOT = re.compile(r"/products/([a-z0-9_]+)/[^/]+/([a-z0-9_]+)/")
_SETTING = re.compile(r'Cannot change configuration option "(\w+)" - the configuration has been locked')
_EXTENSION = "Loading external extensions is disabled"


def declare(database: Path, files: Iterable[Path], folders: Iterable[Path] = ()) -> None:
    """Declare, in a file next to a database, the files that its SQL may read and the folders it may also write in."""
    allowed = {"files": [str(path) for path in files], "folders": [str(path) for path in folders]}
    _declaration(database).write_text(json.dumps(allowed), encoding="utf-8")


def discard(database: Path) -> None:
    """Delete a database and its declaration."""
    database.unlink(missing_ok=True)
    _declaration(database).unlink(missing_ok=True)


def confine_as_declared(connection: Any, database: Path) -> None:
    """Confine all connections to a DuckDB file to its declared files and folders; without a declaration, to the file."""
    path = _declaration(database)
    allowed = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    confine(connection, allowed.get("files", ()), allowed.get("folders", ()))


def confine(connection: Any, files: Iterable[Path | str], folders: Iterable[Path | str] = ()) -> None:
    """Confine a connection, irrevocably, to files that it may read and folders that it may also write in."""
    if is_confined(connection):
        return
    # DuckDB compares a path as a query writes it: views write it as a pattern that matches it alone.
    allowed = [text for path in files for text in dict.fromkeys((work.literal(str(path)), work.file_literal(Path(path))))]
    connection.execute(f"set allowed_paths = [{', '.join(allowed)}]")
    connection.execute(f"set allowed_directories = [{', '.join(work.literal(str(path)) for path in folders)}]")
    for name, value in _SETTINGS.items():
        connection.execute(f"set {name} = {value}")


def is_confined(connection: Any) -> bool:
    """Whether a connection is confined, or was by another one to the same database."""
    return bool(connection.execute("select current_setting('lock_configuration')").fetchone()[0])


def explain(message: str) -> str:
    """Return a message that explains a sandbox error of DuckDB; other messages are returned unchanged."""
    if match := _PATH.search(message):
        path = match[1]
        if "/.duckdb/" in path:
            return "writes outside of the build (in DuckDB's own folder); remove it"
        snapshot = _SNAPSHOT.search(path)
        port = f"'{snapshot[1]}.{snapshot[2]}'" if snapshot else "the port it belongs to"
        return (
            f"'{path}' is not allowed: SQL reads its own product's tables and declared inputs, and writes only ports; "
            f"declare {port} as an input in product.odps.yaml"
        )
    if match := _SETTING.search(message):
        return f"changes the setting '{match[1]}', which is fixed during a build; remove it"
    if _EXTENSION in message:
        return "loads an extension of DuckDB, which is fixed during a build; remove it"
    return message


def _declaration(database: Path) -> Path:
    return database.with_suffix(".sandbox.json")
