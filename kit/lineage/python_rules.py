"""What the Python of a domain may use: names of the kit, names of Python, and files."""

import re

KIT = {
    "Answer", "Inputs", "Model", "ModelError", "Preview", "__version__", "inputs", "model", "open", "output", "promote", "read",
    "scan",
}  # fmt: skip
"""The names of `kit` itself that a notebook of a port may use; `promote` only shows a form. `kit` cannot be imported here."""

BY_HAND = {"run"}
"""The other public name of `kit`, for people and their notebooks."""

_OPEN = (
    "kit.ingest.package_file", "kit.ingest.Delivery", "kit.ingest.State", "kit.ingest.connectors", "kit.ingest.Connector",
    "kit.ingest.Stream", "kit.ingest.StreamColumn", "kit.ingest.Environment", "kit.core.IngestError", "kit.core.KitError",
    "kit.drawing",
)  # fmt: skip
_INPUTS = {"read", "scan", "parquet", "versions"}
_CATALOG = {"read", "scan", "search", "to_duckdb", "to_pandas", "lineage", "quality", "browse"}
_ENTRY = {"read", "scan", "to_duckdb", "to_pandas", "lineage", "quality", "id", "status", "facts", "columns"}
_MODEL = {"ask", "name"}
_RESULT = re.compile(r"kit\.(inputs|open|read|scan|model)\(\)(\[.*\])?(?:\.(\w+))?(.*)", re.DOTALL)
_SHOWS_FILES = {"explain", "serialize", "show_graph"}

UNREADABLE = {
    "eval", "exec", "compile", "breakpoint", "globals", "locals", "vars", "builtins", "__builtins__", "__loader__", "__spec__",
    "get_ipython", "IPython.get_ipython", "IPython.core", "os.system", "os.popen", "os.fork", "os.forkpty", "os.execl",
    "os.execle", "os.execlp", "os.execv", "os.execve", "os.execvp", "os.execvpe", "os.posix_spawn", "os.posix_spawnp",
    "os.spawnl", "os.spawnv", "os.spawnve", "subprocess", "runpy", "pty", "pickle", "cPickle", "dill", "cloudpickle", "marshal",
    "shelve", "joblib.load", "pandas.read_pickle", "ctypes", "cffi", "gc", "inspect", "code", "codeop", "zipimport",
    "importlib.util",
    "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell", "bdb", "cProfile", "doctest", "operator.attrgetter",
    "operator.methodcaller", "pdb", "posix", "profile", "timeit", "trace", "types.CodeType", "types.FunctionType",
    "yaml.UnsafeLoader", "yaml.unsafe_load", "yaml.unsafe_load_all",
    "importlib.machinery", "importlib.reload", "importlib.resources", "sys.modules", "sys.path", "sys.meta_path",
    "sys.path_hooks", "sys._getframe", "sys.settrace", "sys.setprofile",
}  # fmt: skip
"""Names that run, load or reach code and values which cannot be followed in the text."""

INGEST_UNREADABLE = {"eval", "exec", "os.system", "os.popen", "subprocess", "runpy", "pty"}
"""Those that an `ingest.py` must not use either: a connector may need the others."""

_DUNDERS = {"__name__", "__qualname__", "__doc__", "__version__", "__class__", "__init__", "__post_init__", "__annotations__"}


def kit_fault(name: str) -> str:
    """Return why a dotted name of the kit must not be used; empty for one that may, and for any other name."""
    if name != "kit" and not name.startswith("kit."):
        return ""
    if name.startswith("kit.inputs().parquet()"):
        return "leads to other files" if name.count(".") > 2 else ""
    if match := _RESULT.fullmatch(name):
        source, entry, attribute, _ = match.groups()
        if source in ("read", "scan"):
            return "shows where files lie" if attribute in _SHOWS_FILES else ""
        allowed = _MODEL if source == "model" else _INPUTS if source == "inputs" else _ENTRY if entry else _CATALOG
        return "" if attribute is None or attribute in allowed else "is internal to the kit"
    package, _, rest = name.removeprefix("kit").removeprefix(".").partition(".")
    if package in BY_HAND:
        return "is for people, not for builds"
    if name == "kit" or (package in KIT and not rest) or any(f"{name}.".startswith(f"{known}.") for known in _OPEN):
        return ""
    return "is internal to the kit"


def is_dunder(attribute: str) -> bool:
    """Whether an attribute leads into the inside of Python's objects."""
    return attribute.startswith("__") and attribute.endswith("__") and attribute not in _DUNDERS


FILE_METHODS = {"glob", "rglob", "iterdir", "read_text", "read_bytes", "open"}
"""Methods of a path that read files or names of files."""

MEMORY = {"io.StringIO()", "io.BytesIO()", "kit.inputs().parquet()"}
"""Results that a function which reads files may be given in place of a path."""

_READER = re.compile(r"(?:read|scan)_(?!sql|database|clipboard)\w+|loadtxt|genfromtxt|fromfile|memmap")
_FUNCTIONS = {
    "open", "io.open", "os.open", "os.listdir", "os.scandir", "os.walk", "os.fwalk", "glob.glob", "glob.iglob", "numpy.load",
    "sqlite3.connect", "linecache.getlines", "linecache.getline", "fileinput.input", "tarfile.open", "gzip.open", "bz2.open",
    "lzma.open", "zipfile.ZipFile", "shutil.copy", "shutil.copyfile", "shutil.copy2", "shutil.copytree", "shutil.move",
    "os.link", "os.symlink",
    "polars.DataFrame.deserialize", "polars.LazyFrame.deserialize",
    "pyarrow.dataset.dataset", "pyarrow.parquet.ParquetFile", "pyarrow.parquet.ParquetDataset",
}  # fmt: skip
SQL = {"duckdb.sql", "duckdb.query", "duckdb.execute", "duckdb.connect().sql", "duckdb.connect().query",
       "duckdb.connect().execute", "polars.sql"}  # fmt: skip
"""Functions that run SQL outside of `%%sql`."""


_COMPUTED_TABLE = re.compile(r"\b(?:from|join)\s*\(?\s*['\"]?[^\s'\",()]*\0", re.IGNORECASE)
_DETOUR = re.compile(r"\.(_?os|_?sys|_?io|builtins|subprocess|importlib)(?:\.|$)")
ENVIRONMENT = {"os.environ.get", "os.environ.pop", "os.environ.setdefault", "os.getenv"}
"""Functions that read one environment variable."""


def reads_file(function: str, name: str) -> bool:
    """Whether a call reads the file that is its first argument, by the dotted path of its function and its last name."""
    if function.startswith("kit.") or function == "webbrowser.open":
        return False
    return function in _FUNCTIONS or function.endswith(".open") or _READER.fullmatch(name) is not None


def computes_table(query: str) -> bool:
    """Whether SQL, with `ANY` for each part that is not constant, reads a table whose name is not."""
    return _COMPUTED_TABLE.search(query) is not None


def environment_fault(name: str | None) -> str:
    """Return why an environment variable must not be read; empty for one that may."""
    if name is None or "\0" in name:
        return "reads environment variables whose names are not constant"
    return f"asks for {name}, a setting of the mesh" if name.startswith("KIT_") else ""


def detour(name: str) -> str:
    """Return the module that a dotted name reaches through another one; empty for any other name."""
    match = _DETOUR.search(name)
    return match[1] if match else ""
