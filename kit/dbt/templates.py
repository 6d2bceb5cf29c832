"""dbt's templates rendered without dbt: Jinja in a sandbox, with the macros of the project and those that come with dbt."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kit.core import TransformError, read_text

_MACRO = re.compile(r"\{%-?\s*macro\s+(\w+)")
_OTHER_BLOCKS = {"materialization", "test", "data_test", "snapshot", "docs"}


class Templates:
    """Renders texts that know the given names and every macro below the given folders, the first of a name winning.

    What only dbt itself can do (asking the database, reading its own graph) raises, whoever asks for it.
    """

    def __init__(self, folders: Iterable[Path], names: Mapping[str, Any]) -> None:
        self._environment = _environment()
        own: dict[str, Path] = {}
        for folder in folders:
            own = _macros(folder) | own
        self._macros = {**_of_dbt(), **own}
        self._called: dict[tuple[Path, str], Callable[..., Any]] = {}
        self._names = _Names(self._macro, {**self._environment.globals, **names})
        self._names["dbt"] = _Namespace(lambda name: self._macro(name, _of_dbt()))
        self._names["adapter"] = _Adapter(self._macro)
        self._names["return"] = _return

    def render(self, text: str, **names: Any) -> str:
        """The text, which also knows `names`, as dbt would render it; raises `TransformError` with the reason."""
        try:
            self._names.update(names)  # not a copy: macros see them too
            return str(self._environment.from_string(text).make_module(self._names, shared=True))
        except Exception as error:  # a template is a program of others: there is nothing that it cannot raise
            raise TransformError(f"{type(error).__name__}: {error}") from None

    def _macro(self, name: str, macros: Mapping[str, Path] | None = None) -> Callable[..., Any] | None:
        """The macro of that name, ready to be called; None when there is none."""
        path = (macros or self._macros).get(name)
        if path is None:
            return None
        if (path, name) not in self._called:
            self._called[path, name] = _returning(getattr(self._module(path, name), name))
        return self._called[path, name]

    def _module(self, path: Path, name: str) -> Any:
        """One macro of a file as a template of its own, so that it finds the others as dbt finds them, by name."""
        from jinja2 import Template, nodes

        tree = self._environment.parse(read_text(path))
        body = [node for node in tree.find_all(nodes.Macro) if node.name == name]
        code = self._environment.compile(nodes.Template(body[:1], lineno=1), name, str(path))
        return Template.from_code(self._environment, code, {}).make_module(self._names, shared=True)


class _Names(dict[str, Any]):
    """The names a template knows; macros are read when they are first asked for."""

    def __init__(self, macro: Callable[[str], Any], names: Mapping[str, Any]) -> None:
        super().__init__(names)
        self._macro = macro

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or self._macro(str(name)) is not None

    def __missing__(self, name: str) -> Any:
        return self._macro(name)


class _Namespace:
    """`dbt.NAME`: a macro that comes with dbt."""

    def __init__(self, macro: Callable[[str], Any]) -> None:
        self._find = macro

    def __getattr__(self, name: str) -> Any:
        found = self._find(name)
        if found is None:
            raise AttributeError(name)
        return found


class _Adapter:
    """What of dbt's adapter needs no database."""

    def __init__(self, macro: Callable[[str], Any]) -> None:
        self._find = macro

    def dispatch(self, name: str, macro_namespace: str | None = None) -> Any:
        """The macro for this engine, or else for every one."""
        found = self._find(f"duckdb__{name}") or self._find(f"default__{name}")
        if found is None:
            raise LookupError(f"no macro 'duckdb__{name}' or 'default__{name}'")
        return found

    def quote(self, name: str) -> str:
        """A name as SQL identifier."""
        return f'"{name}"'


class _Returned(BaseException):
    """Carries the value of `return(…)` out of a macro, past whatever would handle an error."""

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
def _of_dbt() -> dict[str, Path]:
    """The macros that come with dbt and its adapter, found without importing either."""
    found: dict[str, Path] = {}
    spec = find_spec("dbt")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        for part in ("duckdb", "global_project"):
            found = _macros(Path(place) / "include" / part / "macros") | found
    return found


def _macros(folder: Path) -> dict[str, Path]:
    """The file of every macro below a folder."""
    return {name: path for path in sorted(folder.rglob("*.sql")) for name in _MACRO.findall(read_text(path))}
