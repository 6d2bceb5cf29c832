"""The connectors that `ingest.py` declares: what is wrong with them before any of them is asked."""

import inspect
from collections.abc import Iterator

from kit.contracts import Finding
from kit.core import COMPUTED, KitError, there_are
from kit.ingest import Connector, connector_class, declaration_problems, without_key
from kit.lineage import SourceCall, missing_functions, source_calls
from kit.mesh import DataProduct, Source


def check_sources(product: DataProduct) -> Iterator[Finding]:
    """Find sources without a function, connectors that do not exist, wrong arguments, and increments unlike the contract."""
    calls, path = source_calls(product.folder), product.folder / "ingest.py"
    for name in missing_functions(product.folder, (source.name for source in product.sources)):
        advice = "write one that returns a path, a frame, an iterator or a connector"
        yield Finding(product.name, path, None, f"has no function '{name}', which the source of that name needs", advice)
    for source in product.sources:
        if call := calls.get(source.name):
            for name, problem in _problems(product, source, call):
                line = call.lines.get(name, call.line)
                yield Finding(product.name, path, line, f"{source.name}(): {problem}")


def _problems(product: DataProduct, source: Source, call: SourceCall) -> Iterator[tuple[str, str]]:
    """The problems of one source, each with the argument that has it; empty for the call as a whole."""
    contract = source.contract
    if call.kind == "python":
        if call.has_state and not contract.key:
            yield "", without_key(contract, "a state")
        return
    try:
        kind = connector_class(call.kind)
    except KitError as error:
        yield "", str(error)
        return
    wrong = list(_wrong_arguments(kind, call))
    yield from wrong
    connector = None
    if call.is_constant and not wrong:
        try:
            connector = kind(*call.positional, **call.named)
            connector.folder = product.folder
            connector.check_declared()
        except KitError as error:
            yield "", str(error)
        except Exception as error:
            yield "", f"{call.kind}(…) fails: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
    names = {name: _text(getattr(connector, name) if connector else call.named.get(name)) for name in ("cursor", "deleted")}
    hidden = {*product.hidden_columns, *(column.name for column in contract.hidden_columns)}
    for name, value in names.items():
        alone = {"cursor": None, "deleted": None, name: value}
        for problem in declaration_problems(contract, hidden, **alone):
            yield name, problem


def _wrong_arguments(kind: type[Connector], call: SourceCall) -> Iterator[tuple[str, str]]:
    parameters = inspect.signature(kind).parameters
    if any(item.kind is item.VAR_KEYWORD for item in parameters.values()):
        return
    for name in (name for name in call.named if name not in parameters):
        yield name, f"{call.kind} has no option '{name}'; {there_are(name, parameters)}"
    taken = [name for name, item in parameters.items() if item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD)]
    if len(call.positional) > len(taken):
        yield "", f"{call.kind} takes {len(taken) or 'no'} arguments without a name; write {', '.join(parameters)} with theirs"
    given = {*call.named, *taken[: len(call.positional)]}
    for name, item in parameters.items():
        if call.is_complete and item.default is item.empty and name not in given:
            yield "", f"{call.kind} lacks {name}=…"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value is not COMPUTED else None
