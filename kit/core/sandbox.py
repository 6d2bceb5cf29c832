"""What the SQL of a domain may touch: its own work, the files of its inputs, and no setting."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kit.core import database as work

_SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",  # else SQL reads variables of the Python around it
    "enable_external_access": "false",
    "lock_configuration": "true",
}
_PATH = re.compile(r'Cannot access (?:file|directory) "([^"]*)" - file system operations are disabled')
_SNAPSHOT = re.compile(r"/products/([a-z0-9_]+)/[^/]+/([a-z0-9_]+)/")
_SETTING = re.compile(r'Cannot change configuration option "(\w+)" - the configuration has been locked')
_EXTENSION = "Loading external extensions is disabled"


def declare(database: Path, files: Iterable[Path], folders: Iterable[Path] = ()) -> None:
    """Write down beside a database which files its SQL may read, and in which folders it may also write."""
    allowed = {"files": [str(path) for path in files], "folders": [str(path) for path in folders]}
    _declaration(database).write_text(json.dumps(allowed), encoding="utf-8")


def confine_as_declared(connection: Any, database: Path) -> None:
    """Confine a new connection to a DuckDB file, and all that share it, to what was declared, or else to the file itself."""
    path = _declaration(database)
    allowed = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    confine(connection, allowed.get("files", ()), allowed.get("folders", ()))


def confine(connection: Any, files: Iterable[Path | str], folders: Iterable[Path | str] = ()) -> None:
    """Shut a connection into files it may read and folders it may also write in; nothing opens it again."""
    if connection.execute("select current_setting('lock_configuration')").fetchone()[0]:
        return  # another connection to the same database was here before
    for setting, paths in (("allowed_paths", files), ("allowed_directories", folders)):
        connection.execute(f"set {setting} = [{', '.join(work.literal(str(path)) for path in paths)}]")
    for name, value in _SETTINGS.items():
        connection.execute(f"set {name} = {value}")


def explain(message: str) -> str:
    """What the sandbox has to say about an error of DuckDB; any other is given back as it is."""
    if found := _PATH.search(message):
        path = found[1]
        if "/.duckdb/" in path:
            return "installs or keeps something outside the build; remove it"
        snapshot = _SNAPSHOT.search(path)
        wanted = f"'{snapshot[1]}.{snapshot[2]}'" if snapshot else "what is needed"
        return (
            f"'{path}' is out of bounds: SQL reads its own product's tables and declared inputs, and writes only ports; "
            f"declare {wanted} as an input in product.odps.yaml"
        )
    if found := _SETTING.search(message):
        return f"changes the setting '{found[1]}', which is fixed during a build; remove it"
    if _EXTENSION in message:
        return "loads an extension of DuckDB, which is fixed during a build; remove it"
    return message


def _declaration(database: Path) -> Path:
    return database.with_suffix(".sandbox.json")
