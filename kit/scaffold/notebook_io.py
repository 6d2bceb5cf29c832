"""What a notebook takes from outside of the mesh, told from its text: files, and what lies on the network."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from kit.core import short
from kit.notebooks import code_cells

_READER = re.compile(r"open|(read|scan)_(?!sql|database)\w+|loadtxt|genfromtxt")
_REMOTE = re.compile(r"[a-z][a-z0-9+]{1,9}://")
_NETWORK = {"requests", "httpx", "aiohttp", "urllib", "urllib3", "boto3", "s3fs", "gcsfs", "ftplib", "paramiko", "socket"}


def external_reads(path: Path, folder: Path) -> Iterator[str]:
    """Each place where a notebook that is to lie in `folder` reads a file or the network itself, with what to do instead.

    Raises `InvalidFile` for what is no notebook.
    """
    for cell in code_cells(path):
        for node in ast.walk(cell.tree):
            where = f"cell {cell.number}, line {getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                for module in (name.partition(".")[0] for name in names):
                    if module in _NETWORK:
                        yield f"{where}: imports {module}, but an asset reads ports only; bring it in as a source (ingest.py)"
                    elif (path.parent / f"{module}.py").is_file() and not (folder / f"{module}.py").is_file():
                        yield f"{where}: imports {module}.py, which lies beside it; copy that to {short(folder)} first"
            elif isinstance(node, ast.Call) and (text := _read(node)):
                what = "the network" if _REMOTE.match(text) else "a file"
                yield f"{where}: reads {what}, '{text}'; make a port of it (kit new NAME --from FILE) and read that"


def _read(call: ast.Call) -> str:
    """The file that a call reads by its name in the text; empty for any other call."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    if isinstance(first, ast.JoinedStr):
        first = next(iter(first.values), None)
    given = first.value if isinstance(first, ast.Constant) else None
    mode = call.args[1] if function == "open" and len(call.args) > 1 else None
    if isinstance(mode, ast.Constant) and str(mode.value)[:1] in "wax":
        return ""
    return given if isinstance(given, str) and _READER.fullmatch(function) else ""
