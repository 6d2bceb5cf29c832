"""Reads a notebook or an `ingest.py`, with the modules of the domain that it imports: inputs, and ways around them."""

import ast
import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

from kit.contracts import Finding
from kit.core import KitError, read_text
from kit.lineage.python_names import ANY, IMPORTERS, NameTable, imported
from kit.lineage.python_rules import (
    ENVIRONMENT,
    FILE_METHODS,
    MEMORY,
    SQL,
    UNREADABLE,
    computes_table,
    detour,
    environment_fault,
    is_dunder,
    kit_fault,
    reads_file,
)
from kit.lineage.sql import read_sql
from kit.notebooks import SqlText

IMPORT = ast.Import | ast.ImportFrom
READERS = {"kit.read", "kit.scan"}
_METHODS = {"read", "scan", "parquet", "to_duckdb", "to_pandas"}
_SOURCES = {"kit.inputs()", "kit.open()"}
_RESULTS = {
    "kit.inputs": "kit.inputs()", "kit.open": "kit.open()", "kit.open().search": "kit.open()", "kit.read": "kit.read()",
    "kit.scan": "kit.scan()", "kit.inputs().read": "kit.read()", "kit.inputs().scan": "kit.scan()",
    "kit.inputs().parquet": "kit.inputs().parquet()", "io.StringIO": "io.StringIO()", "io.BytesIO": "io.BytesIO()",
    "duckdb.connect": "duckdb.connect()", "kit.model": "kit.model()",
}  # fmt: skip
_ENTRY = re.compile(r"kit\.open\(\)\[(.*)\]", re.DOTALL)
_PATH = re.compile(r"""[^\s'"(),;=\[\]]+""")
_SECRETS = {"KIT_STORAGE": "the storage", "KIT_RUN_FILE": "the run file"}
_ONE_VARIABLE = "read one by its name, as in os.environ['API_TOKEN']"
_ADVICE = "declare the port and read it in a model, or with kit.read in a notebook"
_INGEST_ADVICE = "import connectors and their parts from kit.ingest, errors from kit.core"


@dataclass(frozen=True)
class CodePlace:
    """A line of a Python file or, counted from 1 in its `cell`, of a notebook."""

    path: Path
    line: int | None
    cell: int | None = None

    def finding(self, product: str, message: str, fix: str = "") -> Finding:
        """The finding at this place."""
        return Finding(product, self.path, self.line, message, fix, cell=self.cell)


@dataclass(frozen=True)
class InputRead:
    """One read of an input. In `text`, its name in the code, `ANY` replaces each computed part."""

    place: CodePlace
    text: str

    @property
    def name(self) -> str:
        """The name, with `.*` for each computed part."""
        return self.text.replace(ANY, ".*")

    @property
    def is_exact(self) -> bool:
        """Whether no part of the name is computed."""
        return ANY not in self.text

    def matches(self, name: str) -> bool:
        """Whether the code may read the input of this name."""
        return re.fullmatch(".*".join(map(re.escape, self.text.split(ANY))), name) is not None


@dataclass(frozen=True)
class PythonReads:
    """`reads` are the inputs that are read; `reads_any` if the inputs are passed on, so that each may be read.

    `faults` are the ways around the declared inputs, `asks` the language models that are asked, by their names.
    """

    reads: tuple[InputRead, ...]
    faults: tuple[Finding, ...]
    reads_any: bool
    asks: tuple[InputRead, ...] = ()


class Reader:
    """Collects what a notebook or `ingest.py` reads, with the modules of the domain that it imports.

    Files are followed in notebooks only, which read none but those of their domain.
    """

    def __init__(
        self, product: str, folder: Path, forbidden: Mapping[Path, str], unpinned: Set[str], unreadable: Set[str]
    ) -> None:
        self.product = product
        self.folder = folder
        self.unpinned = unpinned
        self.unreadable = unreadable
        self.is_notebook = unreadable is UNREADABLE
        self.forbidden = {place.resolve(): name for place, name in forbidden.items()}
        self.names = NameTable(_RESULTS, unreadable | IMPORTERS | {"open"})
        self.reads: list[InputRead] = []
        self.asks: list[InputRead] = []
        self.faults: list[Finding] = []
        self.reads_any = False
        self.files: set[Path] = set()

    def result(self) -> PythonReads:
        """Return all that was found."""
        return PythonReads(tuple(self.reads), tuple(dict.fromkeys(self.faults)), self.reads_any, tuple(self.asks))

    def add_fault(self, place: CodePlace, message: str, fix: str = "") -> None:
        """Add a way around the declared inputs."""
        self.faults.append(place.finding(self.product, message, fix))

    def read_file(self, path: Path) -> None:
        """Read a module of the domain, the first time it is imported."""
        if path in self.files or not path.is_file():
            return
        self.files.add(path)
        try:
            tree = ast.parse(read_text(path))
        except (KitError, SyntaxError, ValueError, RecursionError):
            return
        self.read_tree(tree, CodePlace(path, None), path.parent)

    def read_query(self, query: SqlText, place: CodePlace) -> None:
        """Read SQL; a name without a product is a frame of the notebook, or unknown when it runs."""
        references = read_sql(query.query)
        for fault in references.faults:
            self.add_fault(place, fault)
        self.reads += [InputRead(place, name.lower()) for name in references.tables if "." in name]

    def read_tree(self, tree: ast.Module, place: CodePlace, beside: Path) -> None:
        """Read a cell, or a module, whose folder is `beside`."""
        nodes = list(ast.walk(tree))
        for node in nodes:
            self.names.bind(node)
            if isinstance(node, IMPORT):
                self.read_modules(node, beside)
        # Checked with the expression they are part of; a text alone in a line is a comment.
        done = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
        done |= {id(node.value) for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
        followed = {id(node.value) for node in nodes if isinstance(node, ast.Attribute | ast.Assign)}
        followed |= {id(node.args[0]) for node in nodes if isinstance(node, ast.Call) and node.args and self.names.path(node)}
        kept = {id(node.value) for node in nodes if isinstance(node, ast.Assign | ast.Expr | ast.Subscript)}
        called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        called |= {id(node.value) for node in nodes if isinstance(node, ast.Subscript)}
        kept |= called
        for node in nodes:
            line = replace(place, line=getattr(node, "lineno", None))
            if isinstance(node, ast.Call):
                self.read_call(node, line)
                if self.is_notebook:
                    self.read_files(node, line, beside)
            if isinstance(node, IMPORT):
                for name in imported(node):
                    self.check_name(name, line)
            if isinstance(node, ast.Attribute) and self.is_notebook and is_dunder(node.attr):
                self.add_fault(line, f"uses {node.attr}, which leads into the inside of Python", "write it out")
            elif isinstance(node, ast.Name) and self._is_handed_on(node, followed):
                self.add_fault(line, "hands on the module kit, which cannot be followed", _ADVICE)
            if self.is_notebook:
                self.read_environment(node, line)
                self.check_function(node, line, followed | called)
            if id(node) in done or isinstance(node, IMPORT):
                continue
            if isinstance(node, ast.Attribute | ast.Name | ast.Call):
                if not isinstance(getattr(node, "ctx", None), ast.Store):
                    name = self.names.path(node)
                    self.check_name(name, line)
                    self.reads_any = self.reads_any or (name in READERS | _SOURCES and id(node) not in kept)
            elif isinstance(node, ast.Constant | ast.BinOp | ast.JoinedStr):
                faults = len(self.faults)
                self.check_text(self.names.text(node), line, beside)
                if len(self.faults) > faults:
                    done |= {id(part) for part in ast.walk(node)}

    def read_call(self, node: ast.Call, place: CodePlace) -> None:
        """Read a call that reads an input, or that imports a module by a text."""
        function = self.names.path(node.func)
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        source, _, method = function.rpartition(".")
        entry = _ENTRY.fullmatch(source)
        if function in READERS or ((source in _SOURCES or entry) and method in _METHODS):
            text = entry[1] if entry else self.names.text(arguments.pop(0)) if arguments else None
            self.reads.append(InputRead(place, ANY if text is None else text))
            # `to_duckdb` takes a connection; the others only ever a version.
            if arguments and method != "to_duckdb" and source != "kit.inputs()":
                self.add_fault(place, f"{method}() names a version, but a build pins its own", "leave it out")
        elif function in ("kit.inputs().files", "kit.inputs().versions"):
            self.reads_any = True
        elif function == "kit.model":
            self.asks.append(InputRead(place, (self.names.text(arguments[0]) if arguments else None) or ANY))
        elif function in IMPORTERS and not self.names.path(node):
            self.add_fault(place, f"{function}() of a name that is not constant", "import the module by its name")

    def _is_handed_on(self, node: ast.Name, followed: Set[int]) -> bool:
        return isinstance(node.ctx, ast.Load) and self.names.path(node) == "kit" and id(node) not in followed

    def read_modules(self, node: ast.Import | ast.ImportFrom, beside: Path) -> None:
        """Read the modules and packages of the domain that a statement imports."""
        if isinstance(node, ast.ImportFrom) and node.level:  # relative to its own folder
            tops = [beside.joinpath(*[".."] * (node.level - 1))]
            names = [".".join(filter(None, (node.module, alias.name))) for alias in node.names]
        else:
            tops, names = [beside, self.folder], list(imported(node))
        for top in tops:
            for name in names:
                parts = name.split(".")
                for count in range(1, len(parts) + 1):
                    path = top.joinpath(*parts[:count])
                    self.read_file(path.with_name(f"{path.name}.py"))
                    self.read_file(path / "__init__.py")

    def read_environment(self, node: ast.AST, place: CodePlace) -> None:
        """Refuse the settings of the mesh among the environment variables, and variables that are not known."""
        fault = ""
        if isinstance(node, ast.Subscript) and self.names.path(node.value) == "os.environ":
            fault = environment_fault(self.names.text(node.slice))
        elif isinstance(node, ast.Call) and self.names.path(node.func) in ENVIRONMENT:
            fault = environment_fault(self.names.text(node.args[0]) if node.args else None)
        if fault:
            self.add_fault(place, fault, _ONE_VARIABLE)

    def check_function(self, node: ast.AST, place: CodePlace, used: Set[int]) -> None:
        """Refuse a function that reads files, and the environment, where they are handed on and not called."""
        name = self.names.path(node) if isinstance(node, ast.Attribute | ast.Name) else ""
        if not name or id(node) in used or isinstance(getattr(node, "ctx", None), ast.Store):
            return
        if name == "kit.model":
            self.asks.append(InputRead(place, ANY))
        elif name == "os.environ" or (name.startswith("os.environ.") and name not in ENVIRONMENT):
            self.add_fault(place, str(environment_fault(None)), _ONE_VARIABLE)
        elif reads_file(name, name.rpartition(".")[2]):
            self.add_fault(place, f"hands on {name}, which reads files", "call it with the name of the file")

    def read_files(self, node: ast.Call, place: CodePlace, beside: Path) -> None:
        """Refuse a call that reads a file which is not known to be one of the domain, or SQL that reads one."""
        function = self.names.path(node.func)
        method, given = function.rpartition(".")[2], [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(node.func, ast.Attribute):
            method = node.func.attr
            if method in FILE_METHODS and not function:
                given, function = [node.func.value], "open"
        if function in SQL and node.args:
            self.check_sql(self.names.text(node.args[0]) or ANY, place)
        if not given or not reads_file(function, method):
            return
        text = (self.names.text(given[0]) or ANY).removeprefix("file://")
        if ANY in text:
            if self.names.path(given[0]) not in MEMORY:
                self.add_fault(place, f"{method}() of a file whose name is not constant", _ADVICE)
        elif "://" in text or self._is_own(beside / text):
            return
        elif self._owner(beside / text):
            self.check_text(text, place, beside)
        else:
            self.add_fault(place, f"reads '{text}', which lies outside of its domain folder", _ADVICE)

    def check_sql(self, text: str, place: CodePlace) -> None:
        """Refuse SQL outside of `%%sql` that reads a file, or a table whose name is not constant."""
        if text == ANY or computes_table(text):
            self.add_fault(place, "runs SQL whose tables are not constant", "write them out, or use %%sql")
        for fault in read_sql(text.replace(ANY, "kit_part")).faults if text != ANY else ():
            self.add_fault(place, fault)

    def _is_own(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self.folder.resolve())
        except (OSError, RuntimeError, ValueError):
            return False

    def _advice(self, name: str) -> str:
        return _INGEST_ADVICE if not self.is_notebook and name.startswith(("kit.ingest.", "kit.core.")) else _ADVICE

    def check_name(self, name: str, place: CodePlace) -> None:
        """Refuse a dotted name that reads past the pinned inputs, or in a way that cannot be followed."""
        if fault := kit_fault(name):
            self.add_fault(place, f"uses {'.'.join(name.split('.')[:3])}, which {fault}", self._advice(name))
            return
        for part in _prefixes(name):
            if part in self.unpinned:
                self.add_fault(place, f"uses {part}, which reads data that the build does not pin", _ADVICE)
                return
            if part == "domains":
                self.add_fault(place, f"imports '{name}', code of a domain", "read its ports")
                return
            if part in self.unreadable or (self.is_notebook and (part == name) and detour(name)):
                self.add_fault(place, f"uses {part}, which runs code that cannot be checked", "write it out")
                return

    def check_text(self, text: str | None, place: CodePlace, beside: Path) -> None:
        """Refuse a text that names a forbidden file or variable, in a notebook also one that leads out of its domain folder."""
        for word in _PATH.findall(text or ""):
            if word in _SECRETS:
                self.add_fault(place, f"asks for {word}, {_SECRETS[word]}", "read declared ports with kit.read")
            start = word.partition(ANY)[0].partition("*")[0].removeprefix("file://")
            if ("/" not in start and start != "..") or "://" in start:
                continue
            owners = (self._owner(base / start) for base in (beside, self.folder, self.folder.parent.parent))
            if owner := next(filter(None, owners), None):
                self.add_fault(place, f"names '{word.replace(ANY, '…')}' in {owner}", "read a declared port with kit.read")
            elif self.is_notebook and self._leads_out(beside, start):
                self.add_fault(place, f"reads '{word.replace(ANY, '…')}', which lies outside of its domain folder", _ADVICE)

    def _leads_out(self, beside: Path, text: str) -> bool:
        """Whether a text is a path through parent folders, or in the mesh, that leads out of the domain folder."""
        if text.startswith("/"):
            return not self._is_own(Path(text)) and Path(text).is_relative_to(self.folder.parent.parent)
        return ".." in text.split("/") and not self._is_own(beside / text)

    def _owner(self, path: Path) -> str | None:
        """The description of the forbidden place that a path is in; None when there is none."""
        try:
            resolved = path.expanduser().resolve()
        except (OSError, RuntimeError, ValueError):
            return None
        return next((name for place, name in self.forbidden.items() if resolved.is_relative_to(place)), None)


def _prefixes(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))
