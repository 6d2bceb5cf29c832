"""What Python code reads, told from its text: inputs by name, and ways around them. The code is never run."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

from kit.contracts import Finding
from kit.core import KitError, read_text
from kit.lineage.sql import read_sql
from kit.notebooks import SqlText, code_cells

_READERS = {"kit.read", "kit.scan"}
_METHODS = {"read", "scan", "parquet", "to_duckdb", "to_pandas"}
_SOURCES = {"kit.inputs()", "kit.open()"}
_MAKERS = {
    "kit.inputs": "kit.inputs()",
    "kit.open": "kit.open()",
    "kit.open().search": "kit.open()",
}
_UNPINNED = {"intake"}
PUBLIC = {"Inputs", "Preview", "__version__", "inputs", "open", "output", "promote", "read", "run", "scan"}
"""The names of `kit` itself, all of which code of a domain may use; `kit` cannot be imported from here."""

_OPEN = ("kit.ingest.package_file", "kit.core.IngestError", "kit.core.KitError", "kit.drawing")
"""Names below packages of the kit that code of a domain may use, beside the public names of `kit` itself."""
_IMPORTERS = {"importlib.import_module", "__import__"}
_UNSEEN = {"eval", "exec", "os.system", "os.popen", "subprocess", "runpy", "pty"}
_HARMLESS = (
    "%matplotlib",
    "%config",
    "%load_ext autoreload",
    "%load_ext kit",
    "%autoreload",
    "%time",
    "%timeit",
    "%%time",
    "%%capture",
)
_PATH = re.compile(r"""[^\s'"(),;=\[\]]+""")
_SECRETS = {"KIT_STORAGE": "the storage", "KIT_RUN_FILE": "the run file"}
_ADVICE = "declare the port and read it in a model, or with kit.read in a notebook"
_ANY = "\0"
_ENTRY = re.compile(r"kit\.open\(\)\[(.*)\]", re.DOTALL)


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
    """One read of an input. In `text`, its name in the code, `_ANY` replaces each computed part."""

    place: CodePlace
    text: str

    @property
    def name(self) -> str:
        """The name, with `.*` for each computed part."""
        return self.text.replace(_ANY, ".*")

    @property
    def is_exact(self) -> bool:
        """Whether no part of the name is computed."""
        return _ANY not in self.text

    def matches(self, name: str) -> bool:
        """Whether the code may read the input of this name."""
        return re.fullmatch(".*".join(map(re.escape, self.text.split(_ANY))), name) is not None


@dataclass(frozen=True)
class PythonReads:
    """`reads` are the inputs that are read; `escapes`: the inputs are passed to other code, so that any may be read.

    `faults` are the ways around the declared inputs.
    """

    reads: tuple[InputRead, ...]
    faults: tuple[Finding, ...]
    escapes: bool


def notebook_reads(path: Path, product: str, folder: Path, places: Mapping[Path, str]) -> PythonReads:
    """What a notebook and the modules beside it read; `places` are forbidden. Raises `InvalidFile` for what is no Python."""
    looker = _ReadVisitor(product, folder, places, _UNPINNED)
    for cell in code_cells(path):
        where = CodePlace(path, None, cell.number)
        for row, line in cell.magics:
            if not line.lstrip().startswith(_HARMLESS):
                looker.fault(replace(where, line=row), f"'{line.strip()[:40]}' runs what cannot be checked", "write Python")
                if line.startswith("%%"):
                    break
        for query in cell.queries:
            looker.ask(query, replace(where, line=query.row))
        looker.look(cell.tree, where, path.parent)
    return looker.found()


def ingest_reads(product: str, folder: Path, places: Mapping[Path, str]) -> PythonReads:
    """What `ingest.py` reads, if there is one; what is no Python is left to who runs it."""
    looker = _ReadVisitor(product, folder, places, _UNPINNED | _READERS | {"kit.open"})
    looker.look_into(folder / "ingest.py")
    return looker.found()


class _ReadVisitor:
    def __init__(self, product: str, folder: Path, places: Mapping[Path, str], unpinned: Set[str]) -> None:
        self.product = product
        self.folder = folder
        self.unpinned = unpinned
        self.places = {place.resolve(): name for place, name in places.items()}
        self.names: dict[str, str] = {}  # what a name stands for, as a dotted path from a module
        self.texts: dict[str, str] = {}  # names that stand for a text
        self.reads: list[InputRead] = []
        self.faults: list[Finding] = []
        self.escapes = False
        self.looked: set[Path] = set()

    def found(self) -> PythonReads:
        return PythonReads(tuple(self.reads), tuple(dict.fromkeys(self.faults)), self.escapes)

    def fault(self, where: CodePlace, message: str, fix: str = "") -> None:
        self.faults.append(where.finding(self.product, message, fix))

    def look_into(self, path: Path) -> None:
        """A module of the domain itself, once."""
        if path in self.looked or not path.is_file():
            return
        self.looked.add(path)
        try:
            tree = ast.parse(read_text(path))
        except (KitError, SyntaxError, ValueError, RecursionError):
            return
        self.look(tree, CodePlace(path, None), path.parent)

    def ask(self, query: SqlText, here: CodePlace) -> None:
        """The ports a query names; a name without a product is a frame of the notebook, or nothing at all."""
        found = read_sql(query.query)
        for fault in found.faults:
            self.fault(here, fault)
        self.reads += [InputRead(here, name.lower()) for name in found.tables if "." in name]

    def look(self, tree: ast.Module, where: CodePlace, beside: Path) -> None:
        nodes = list(ast.walk(tree))
        for node in nodes:
            self.learn(node, beside)
        # Judged with what they are part of; a text that stands alone is prose.
        done = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
        done |= {id(node.value) for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
        kept = {id(node.value) for node in nodes if isinstance(node, ast.Assign | ast.Expr | ast.Subscript)}
        kept |= {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        for node in nodes:
            here = replace(where, line=getattr(node, "lineno", None))
            if isinstance(node, ast.Call):
                self.call(node, here)
            if isinstance(node, ast.ImportFrom | ast.Import):
                for name in _imported(node):
                    self.judge(name, here)
            elif id(node) in done:
                continue
            elif isinstance(node, ast.Attribute | ast.Name | ast.Call) and not isinstance(
                getattr(node, "ctx", None), ast.Store
            ):
                name = self.dotted(node)
                self.judge(name, here)
                self.escapes = self.escapes or (name in _READERS | _SOURCES and id(node) not in kept)
            elif isinstance(node, ast.Constant | ast.BinOp | ast.JoinedStr) and self.leads_out(
                self.literal(node), here, beside
            ):
                done |= {id(part) for part in ast.walk(node)}

    def learn(self, node: ast.AST, beside: Path) -> None:
        """What the names a statement binds stand for."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                self.names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                self.names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, dotted, text = node.targets[0].id, self.dotted(node.value), self.literal(node.value)
            if dotted:
                self.names[name] = dotted
            if text is not None:
                self.texts[name] = text if self.texts.get(name, text) == text else _ANY
        if isinstance(node, ast.Import | ast.ImportFrom):
            for module in {name.partition(".")[0] for name in _imported(node)}:
                for place in (beside, self.folder):
                    self.look_into(place / f"{module}.py")

    def dotted(self, node: ast.AST) -> str:
        """What an expression stands for, such as `kit.inputs().read`; empty when that cannot be told."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id if node.id in _UNSEEN | _IMPORTERS else "")
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            return f"{base}.{node.attr}" if base else ""
        if isinstance(node, ast.Call):
            function = self.dotted(node.func)
            given = [self.literal(argument) for argument in node.args]
            if function in _IMPORTERS and given and given[0]:
                return given[0]
            if isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(given) > 1 and given[1]:
                base = self.dotted(node.args[0])
                return f"{base}.{given[1]}" if base else ""
            return _MAKERS.get(function, "")
        if isinstance(node, ast.Subscript) and self.dotted(node.value) == "kit.open()":
            return f"kit.open()[{self.literal(node.slice) or _ANY}]"
        return ""

    def judge(self, name: str, here: CodePlace) -> None:
        """Reading something outside of what the build pins, or in a way nobody can follow."""
        if internal := _internal(name):
            self.fault(here, f"uses {internal}, which is internal to the kit", _ADVICE)
            return
        for part in _prefixes(name):
            if part in self.unpinned:
                self.fault(here, f"uses {part}, which reads what the build does not pin", _ADVICE)
                return
            if part == "domains":
                self.fault(here, f"imports '{name}', code of a domain", "read its ports")
                return
            if part in _UNSEEN:
                self.fault(here, f"uses {part}, which runs what cannot be checked", "write it out")
                return

    def call(self, node: ast.Call, here: CodePlace) -> None:
        function = self.dotted(node.func)
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        source, _, method = function.rpartition(".")
        entry = _ENTRY.fullmatch(source)
        if function in _READERS or ((source in _SOURCES or entry) and method in _METHODS):
            text = entry[1] if entry else self.literal(arguments.pop(0)) if arguments else None
            self.reads.append(InputRead(here, _ANY if text is None else text))
            # A relation over a port takes a connection; the others only ever a version.
            if arguments and method != "to_duckdb" and source != "kit.inputs()":
                self.fault(here, f"{method}() names a version, but a build pins its own", "leave it out")
        elif function in ("kit.inputs().files", "kit.inputs().versions"):
            self.escapes = True
        elif function in _IMPORTERS and not self.dotted(node):
            self.fault(here, f"{function}() of a name that cannot be told", "import the module by its name")

    def literal(self, node: ast.AST) -> str | None:
        """A text as far as it can be told, `_ANY` for each part that cannot; None when no part can."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            return self.texts.get(node.id)
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
            return "".join(self.literal(part) or _ANY for part in parts)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Div):
            left, right = self.literal(node.left), self.literal(node.right)
            if left is not None or right is not None:
                return f"{left or _ANY}{'/' if isinstance(node.op, ast.Div) else ''}{right or _ANY}"
        if isinstance(node, ast.Call) and self.dotted(node.func) == "pathlib.Path" and node.args:
            return self.literal(node.args[0])
        return None

    def leads_out(self, text: str | None, here: CodePlace, beside: Path) -> bool:
        """Note what a text names that the product has no business with; whether there is any."""
        count = len(self.faults)
        for word in _PATH.findall(text or ""):
            if word in _SECRETS:
                self.fault(here, f"asks for {word}, {_SECRETS[word]}", "read declared ports with kit.read")
            known = word.partition(_ANY)[0].partition("*")[0].removeprefix("file://")
            if "/" not in known or "://" in known:
                continue
            places = (self._place(base / known) for base in (beside, self.folder, self.folder.parent.parent))
            if place := next(filter(None, places), None):
                self.fault(here, f"names '{word.replace(_ANY, '…')}' in {place}", "read a declared port with kit.read")
        return len(self.faults) > count

    def _place(self, path: Path) -> str | None:
        try:
            resolved = path.expanduser().resolve()
        except (OSError, RuntimeError, ValueError):
            return None
        return next((name for place, name in self.places.items() if resolved.is_relative_to(place)), None)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif node.module:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _internal(name: str) -> str | None:
    """The part of a dotted name that is neither public in `kit` nor open to domains; None when all of it may be used."""
    found = re.match(r"kit\.(\w+)", name)
    if found is None or found[1] in PUBLIC or any(f"{name}.".startswith(f"{known}.") for known in _OPEN):
        return None
    return ".".join(name.split(".")[:3])


def _prefixes(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))
