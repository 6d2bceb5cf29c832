"""What a notebook takes from outside of the mesh, told from its text: files, and what lies on the network."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from kit.contracts import Finding
from kit.core import short
from kit.lineage import CodePlace
from kit.notebooks import code_cells

_READER = re.compile(r"open|(read|scan)_(?!sql|database)\w+|loadtxt|genfromtxt")
_REMOTE = re.compile(r"[a-z][a-z0-9+]{1,9}://")
_NETWORK = {"requests", "httpx", "aiohttp", "urllib", "urllib3", "boto3", "s3fs", "gcsfs", "ftplib", "paramiko", "socket"}


def external_reads(product: str, path: Path, folder: Path) -> Iterator[Finding]:
    """Find the places where a notebook that is to lie in `folder` reads a file or the network itself.

    Raises `InvalidFile` for what is no notebook.
    """
    for cell in code_cells(path):
        for node in ast.walk(cell.tree):
            place = CodePlace(path, getattr(node, "lineno", None), cell.number)
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                for module in (name.partition(".")[0] for name in names):
                    if module in _NETWORK:
                        message = f"imports {module}, but an asset reads ports only"
                        yield place.finding(product, message, "bring it in as a source (ingest.py)")
                    elif (path.parent / f"{module}.py").is_file() and not (folder / f"{module}.py").is_file():
                        message = f"imports {module}.py, which lies beside it"
                        yield place.finding(product, message, f"copy that to {short(folder)} first")
            elif isinstance(node, ast.Call) and (text := _read(node)):
                what = "the network" if _REMOTE.match(text) else "a file"
                fix = "make a port of it (kit new NAME --from FILE) and read that"
                yield place.finding(product, f"reads {what}, '{text}'", fix)


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
