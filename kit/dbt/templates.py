"""dbt's templates rendered without dbt: Jinja in a sandbox, with the macros of the project and those that come with dbt."""

import re
from collections.abc import Callable, Iterable, Mapping, Set
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from kit.core import TransformError, read_text
from kit.dbt.project import files_below

_MACRO = re.compile(r"\{%-?\s*macro\s+(\w+)")
_OTHER_BLOCKS = {"materialization", "test", "data_test", "snapshot", "docs"}
_DBT_ONLY = (
    "api", "builtins", "compiled_code", "context", "database", "dbt_metadata_envs", "dbt_version", "defer_relation",
    "diff_of_two_dicts", "doc", "env", "exceptions", "flags", "fromyaml", "function", "graph", "invocation_args_dict",
    "invocation_id", "load_agate_table", "load_result", "local_md5", "metric", "model", "modules", "post_hooks", "pre_hooks",
    "print", "render", "run_started_at", "schema", "selected_resources", "set", "set_strict", "sql", "sql_now",
    "store_raw_result", "store_result", "submit_python_job", "this", "thread_id", "toyaml", "try_or_compiler_error",
    "validation", "write", "zip", "zip_strict",
)  # fmt: skip
"""Names that a template knows in dbt. Here each has an unknown value."""


class DbtValue:
    """A value of dbt of which the text and some attributes are known; any other use raises `TransformError`."""

    def __init__(self, text: str | None = None, **attributes: Any) -> None:
        vars(self).update(attributes, _text=text)

    def __str__(self) -> str:
        return self._unknown() if self._text is None else str(self._text)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._unknown()

    def _unknown(self, *_: Any, **__: Any) -> NoReturn:
        raise TransformError("a template uses a value that only dbt knows")

    __bool__ = __call__ = __contains__ = __eq__ = __getitem__ = __hash__ = __iter__ = __len__ = _unknown


class Templates:
    """Renders the texts of one project, which know the given names and every macro below the given folders.

    Whatever only dbt itself can do (asking the database, reading its own graph) raises `TransformError`.
    """

    def __init__(self, project: str, folders: Iterable[Path], names: Mapping[str, Any]) -> None:
        self._environment = _environment()
        self._project = project
        self._own: dict[str, Path] = {}
        for folder in folders:
            self._own = _macros(folder) | self._own
        self._all = {**_macros_of_dbt(), **self._own}
        self._callables: dict[tuple[Path, str], Callable[..., Any]] = {}
        self._names = _Names(self._macro, {**self._environment.globals, **names})
        self._names[project] = _Namespace(lambda name: self._macro(name, self._own))
        self._names["dbt"] = _Namespace(lambda name: self._macro(name, _macros_of_dbt()))
        self._names["adapter"] = _Adapter(self._dispatch)
        self._names["return"] = _return
        self._builtins = {*self._names, *_DBT_ONLY}

    def replaced(self, others: Set[str] = frozenset()) -> list[str]:
        """The macros of the project that replace a name of dbt, or one of `others`."""
        return sorted(self._own.keys() & (self._builtins | others))

    def render(self, text: str, **names: Any) -> str:
        """The text, which also knows `names`, as dbt renders it; raises `TransformError` with the reason."""
        try:
            # Not a copy, so that macros know them too.
            self._names.update({**dict.fromkeys(_DBT_ONLY, DbtValue()), **names})
            return str(self._environment.from_string(text).make_module(self._names, shared=True))
        except Exception as error:  # a template is a program of others, which can raise anything
            raise TransformError(f"{type(error).__name__}: {error}") from None

    def _macro(self, name: str, macros: Mapping[str, Path] | None = None) -> Callable[..., Any] | None:
        """The macro of that name, ready to be called; None when there is none."""
        path = (self._all if macros is None else macros).get(name)
        if path is None:
            return None
        if (path, name) not in self._callables:
            self._callables[path, name] = _returning(getattr(self._module(path, name), name))
        return self._callables[path, name]

    def _module(self, path: Path, name: str) -> Any:
        """One macro of a file as a template of its own, so that it finds the others as dbt finds them, by name."""
        from jinja2 import Template, nodes

        tree = self._environment.parse(read_text(path))
        body = [node for node in tree.find_all(nodes.Macro) if node.name == name]
        code = self._environment.compile(nodes.Template(body[:1], lineno=1), name, str(path))
        return Template.from_code(self._environment, code, {}).make_module(self._names, shared=True)

    def _dispatch(self, name: str, macro_namespace: str | None = None) -> Callable[..., Any]:
        """The macro for this engine or for all, searched package by package where one is named, as dbt does."""
        packages = {None: [self._all], "dbt": [self._own, _macros_of_dbt()], self._project: [self._own]}
        for macros in packages.get(macro_namespace, ()):
            for prefix in ("duckdb", "default"):
                if macro := self._macro(f"{prefix}__{name}", macros):
                    return macro
        raise LookupError(f"no macro 'duckdb__{name}' or 'default__{name}' in the package '{macro_namespace}'")


class _Names(dict[str, Any]):
    """The names a template knows; a macro is read at its first use."""

    def __init__(self, macro: Callable[[str], Any], names: Mapping[str, Any]) -> None:
        super().__init__(names)
        self._macro = macro

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or self._macro(str(name)) is not None

    def __missing__(self, name: str) -> Any:
        return self._macro(name)


class _Namespace:
    """`dbt.NAME` or `PROJECT.NAME`: a macro of one package."""

    def __init__(self, macro: Callable[[str], Any]) -> None:
        self._find = macro

    def __getattr__(self, name: str) -> Any:
        macro = self._find(name)
        if macro is None:
            raise AttributeError(name)
        return macro


class _Adapter:
    """The part of dbt's adapter that needs no database."""

    def __init__(self, dispatch: Callable[..., Any]) -> None:
        self.dispatch = dispatch

    def quote(self, name: str) -> str:
        """A name as SQL identifier."""
        return f'"{name}"'


class _Returned(BaseException):
    """Carries the value of `return(…)` out of a macro, past all handlers of errors."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _return(value: Any = None) -> None:
    raise _Returned(value)


def _returning(macro: Callable[..., Any]) -> Callable[..., Any]:
    """A macro whose `return(…)` gives its caller the value itself."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        try:
            return macro(*arguments, **keywords)
        except _Returned as returned:
            return returned.value

    return call


@cache
def _environment() -> Any:
    from jinja2 import StrictUndefined
    from jinja2.ext import Extension
    from jinja2.sandbox import SandboxedEnvironment

    class OtherBlocks(Extension):
        """Blocks of dbt beside macros, left out."""

        tags = _OTHER_BLOCKS

        def parse(self, parser: Any) -> Any:
            kind = next(parser.stream).value
            while parser.stream.current.type != "block_end":
                next(parser.stream)
            parser.parse_statements((f"name:end{kind}",), drop_needle=True)
            return []

    return SandboxedEnvironment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols", OtherBlocks], undefined=StrictUndefined)


@cache
def _macros_of_dbt() -> dict[str, Path]:
    """The macros that come with dbt and its adapter, found without importing either."""
    macros: dict[str, Path] = {}
    spec = find_spec("dbt")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        for part in ("duckdb", "global_project"):
            macros = _macros(Path(place) / "include" / part / "macros") | macros
    return macros


def _macros(folder: Path) -> dict[str, Path]:
    """The file of every macro below a folder."""
    return {name: path for path, _ in files_below(folder) if path.suffix == ".sql" for name in _MACRO.findall(read_text(path))}
