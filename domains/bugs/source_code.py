"""A connector that cuts the source code of installed packages into chunks, one for each function."""

import ast
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from typing import Any

from kit.core import IngestError
from kit.ingest import Connector, State, Stream, StreamColumn

TESTS = {"test", "tests"}
"""Folders of a package that contain none of what an application runs."""

TEXTS = ("installation", "chunk_id", "package", "version", "module", "function", "path", "text")
LINES = ("first_line", "last_line")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class SourceCode(Connector):
    """The functions of the distributions that each installation runs: its name, and their versions by name.

    They are read once; another version, or a change of this module, reads all of them again.
    """

    versions: Mapping[str, Mapping[str, str]]

    def declared(self) -> Mapping[str, Any]:
        """Return the versions, and the way in which code is cut."""
        return {"versions": self.versions, "code": hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}

    def check(self) -> None:
        """Raise `IngestError` for a distribution that is not installed in this version."""
        for installation, versions in self.versions.items():
            for name, version in versions.items():
                if (found := installed_version(installation, name)) != version:
                    raise IngestError(f"{name} is installed in version {found}, not {version}")

    def discover(self) -> list[Stream]:
        """Return the one stream."""
        columns = [StreamColumn(name, "varchar", required=True) for name in TEXTS]
        columns += [StreamColumn(name, "bigint", required=True) for name in LINES]
        return [Stream("source code", tuple(columns), key=("installation", "chunk_id"))]

    def read(self, state: Mapping[str, Any] | None) -> Iterator[list[dict[str, Any]] | State]:
        """Yield the chunks of each distribution, those of one that several installations run for each of them."""
        if state is None:
            self.check()
            users: dict[tuple[str, str], list[str]] = {}
            for installation, versions in self.versions.items():
                for pin in versions.items():
                    users.setdefault(pin, []).append(installation)
            for (name, version), installations in users.items():
                found = [{"package": name, "version": version, **chunk} for chunk in chunks_of(name)]
                for installation in installations:
                    yield [{"installation": installation, **chunk} for chunk in found]
        yield State({"versions": self.versions})


def installed_version(installation: str, name: str) -> str:
    """Return the version of a distribution; raises `IngestError` when it is not installed."""
    try:
        return distribution(name).version
    except PackageNotFoundError:
        raise IngestError(f"{name}, which {installation} runs, is not installed; run `pip install {name}`") from None


def chunks_of(name: str) -> Iterator[dict[str, Any]]:
    """Yield the functions of a distribution by path and line."""
    installed = distribution(name)
    for file in sorted(installed.files or (), key=str):
        path = PurePosixPath(file.as_posix())
        if path.suffix != ".py" or ".." in path.parts or TESTS & set(path.parts[:-1]):
            continue
        text = Path(str(installed.locate_file(file))).read_text(encoding="utf-8")
        if "def " in text:  # modules of tables alone take long to parse
            yield from chunks_in(text, path)


def chunks_in(text: str, path: PurePosixPath) -> Iterator[dict[str, Any]]:
    """Yield the functions of a file, those inside of others for themselves too.

    One whose name is taken, such as the setter of a property, has a number after it.
    """
    module = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    lines, taken = text.splitlines(keepends=True), dict[str, int]()
    for function, node in _functions(ast.parse(text), ""):
        taken[function] = number = taken.get(function, 0) + 1
        first = min(part.lineno for part in (node, *node.decorator_list))
        last = node.end_lineno or node.lineno
        yield {
            "chunk_id": f"{module}:{function}" + (f"#{number}" if number > 1 else ""),
            "module": module,
            "function": function,
            "path": str(path),
            "first_line": first,
            "last_line": last,
            "text": "".join(lines[first - 1 : last]),
        }


def _functions(parent: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    """Yield functions with their qualified names, also those in functions, classes, `if` and `try`."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, Function):
            yield prefix + node.name, node
            yield from _functions(node, f"{prefix}{node.name}.<locals>.")
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from _functions(node, prefix)
