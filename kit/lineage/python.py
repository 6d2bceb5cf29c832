"""The inputs, files and columns that notebooks and `ingest.py` name in Python. No code is run."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from kit.contracts import Finding
from kit.core import KitError, short
from kit.lineage.python_names import imported
from kit.lineage.python_reader import IMPORT, READERS, CodePlace, PythonReads, Reader
from kit.lineage.python_rules import INGEST_UNREADABLE, UNREADABLE
from kit.lineage.sql import names_in
from kit.notebooks import HELP, INSTALL, code_cells

_UNPINNED = {"intake"}
_HARMLESS = (
    "%matplotlib", "%config", "%load_ext autoreload", "%load_ext kit", "%autoreload", "%time", "%timeit", "%%time", "%%capture",
)  # fmt: skip
_FILE_READER = re.compile(r"open|(read|scan)_(?!sql|database)\w+|loadtxt|genfromtxt")
_REMOTE = re.compile(r"[a-z][a-z0-9+]{1,9}://")
_NETWORK = {"requests", "httpx", "aiohttp", "urllib", "urllib3", "boto3", "s3fs", "gcsfs", "ftplib", "paramiko", "socket"}


def notebook_reads(path: Path, product: str, folder: Path, forbidden: Mapping[Path, str]) -> PythonReads:
    """Read a notebook of a product, with the modules beside it; raises `InvalidFile` for text that is not Python.

    `folder` is that of the product; `forbidden` are places whose files it must not read, with their descriptions.
    """
    reader = Reader(product, folder, forbidden, _UNPINNED, UNREADABLE)
    for cell in code_cells(path):
        place = CodePlace(path, None, cell.number)
        for row, line in cell.magics:
            if HELP.fullmatch(line):
                reader.add_fault(replace(place, line=row), f"'{line.strip()[:40]}' shows help", "delete it")
            elif INSTALL.fullmatch(line):
                message = f"'{line.strip()[:40]}' installs packages, which no build does"
                reader.add_fault(replace(place, line=row), message, "declare them in pyproject.toml and delete the line")
            elif not line.lstrip().startswith(_HARMLESS):
                reader.add_fault(
                    replace(place, line=row), f"'{line.strip()[:40]}' runs code that cannot be checked", "write Python"
                )
                if line.startswith("%%"):
                    break
        for query in cell.queries:
            reader.read_query(query, replace(place, line=query.row))
        reader.read_tree(cell.tree, place, path.parent)
    return reader.result()


def ingest_reads(product: str, folder: Path, forbidden: Mapping[Path, str]) -> PythonReads:
    """Read the `ingest.py` of a product, if there is one. A file that is not Python has no reads: landing reports it."""
    reader = Reader(product, folder, forbidden, _UNPINNED | READERS | {"kit.open"}, INGEST_UNREADABLE)
    reader.read_file(folder / "ingest.py")
    return reader.result()


def external_reads(product: str, path: Path, folder: Path) -> Iterator[Finding]:
    """Find the places where a notebook that is to lie in `folder` reads a file or the network itself.

    Raises `InvalidFile` for a file that is no notebook.
    """
    for cell in code_cells(path):
        for node in ast.walk(cell.tree):
            place = CodePlace(path, getattr(node, "lineno", None), cell.number)
            if isinstance(node, IMPORT):
                for module in dict.fromkeys(name.partition(".")[0] for name in imported(node)):
                    if module in _NETWORK:
                        message = f"imports {module}, but an asset reads ports only"
                        yield place.finding(product, message, "bring it in as a source (ingest.py)")
                    elif (path.parent / f"{module}.py").is_file() and not (folder / f"{module}.py").is_file():
                        message = f"imports {module}.py, which lies beside it"
                        yield place.finding(product, message, f"copy that to {short(folder)} first")
            elif isinstance(node, ast.Call) and (text := _file_read(node)):
                origin = "the network" if _REMOTE.match(text) else "a file"
                fix = "make a port of it (kit new NAME --from FILE) and read that"
                yield place.finding(product, f"reads {origin}, '{text}'", fix)


def notebook_columns(path: Path, columns: Iterable[str]) -> set[str] | None:
    """The columns a notebook names, of those given; None when it names none, or cannot be parsed.

    Names that it puts together from data are missing; those of an f-string are matched by its constant parts.
    """
    words: set[str] = set()
    patterns = []
    try:
        cells = code_cells(path)
    except KitError:
        return None
    for query in (query for cell in cells for query in cell.queries):
        words |= names_in(query.query)
    for node in (node for cell in cells for node in ast.walk(cell.tree)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words |= set(re.findall(r"\w+", node.value))
        elif isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            words.add(node.arg)
        elif isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else None for part in node.values]
            if any(parts) and all(re.fullmatch(r"\w*", part or "") for part in parts):
                patterns.append("".join(r"\w*" if part is None else re.escape(part) for part in parts))
    named = {name for name in columns if name in words or any(re.fullmatch(pattern, name) for pattern in patterns)}
    return named or None


def _file_read(call: ast.Call) -> str:
    """The constant name of the file that a call reads; empty for any other call."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    if isinstance(first, ast.JoinedStr):
        first = next(iter(first.values), None)
    name = first.value if isinstance(first, ast.Constant) else None
    mode = call.args[1] if function == "open" and len(call.args) > 1 else None
    if isinstance(mode, ast.Constant) and str(mode.value)[:1] in "wax":
        return ""
    return name if isinstance(name, str) and _FILE_READER.fullmatch(function) else ""
