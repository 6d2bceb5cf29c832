"""The text of a contract diff: for the terminal, and as Markdown for a comment on a pull request."""

from collections.abc import Iterator, Sequence
from html import escape

from rich.text import Text

from kit.core import counted
from kit.governance import Consumer, PortDiff, ProductDiff

MARK = "<!-- kit diff -->"
"""First line of the comment, by which the next run finds and replaces it."""

_STYLES = {"major": "red", "minor": "green", "review": "yellow", "patch": ""}
_NOTHING = "No contract has changed."


def lines(products: Sequence[ProductDiff]) -> Iterator[Text]:
    """Yield the lines of a diff for the terminal, problems last."""
    ports = [port for product in products for port in product.ports]
    if not ports:
        yield Text(_NOTHING)
    width = max((len(change.where) for port in ports for change in (*port.changes, *port.needs)), default=0)
    for port in ports:
        yield Text(f"{port.port}  {_versions(port)}", style="bold")
        for change in (*port.changes, *port.needs):
            style = _STYLES[change.verdict]
            yield Text.assemble("  ", (f"{change.verdict:<7}", style), f" {change.where:<{width}}  {change.text}")
        for consumer in port.affected:
            yield Text(f"  affects {consumer.name} ({consumer.owner}, {consumer.contact}) {', '.join(_use(consumer))}")
        if port.is_breaking and not port.affected:
            yield Text("  affects no consumer")
    for problem in (problem for product in products for problem in product.problems):
        yield Text(problem, style="red")
    if products:
        yield Text(_verdict(products))


def markdown(products: Sequence[ProductDiff]) -> str:
    """Return a diff as GitHub's Markdown, problems first."""
    return "\n".join([MARK, "### Contracts", "", *_markdown(products)]) + "\n"


def _markdown(products: Sequence[ProductDiff]) -> Iterator[str]:
    if not products:
        yield _NOTHING
        return
    yield f"**{_verdict(products)}**"
    yield ""
    yield from [f"- {_plain(problem)}" for product in products for problem in product.problems]
    for port in (port for product in products for port in product.ports):
        yield from ("", f"#### `{port.port}` {_versions(port)}", "")
        changes = (*port.changes, *port.needs)
        if changes:
            yield from ("| verdict | where | change |", "|---|---|---|")
        for change in changes:
            yield f"| {change.verdict} | {_plain(change.where)} | {_plain(change.text)} |"
        if port.affected:
            yield from ("", "Affects:", "")
        elif port.is_breaking:
            yield from ("", "Affects no consumer.")
        for item in port.affected:
            yield f"- **{item.name}** ({_plain(item.owner)}, {_plain(item.contact)}) {_plain(', '.join(_use(item)))}"


def _versions(port: PortDiff) -> str:
    if port.old is None or port.new is None:
        return str(port.new or port.old or "")
    text = f"{port.old} → {port.new}" if port.old != port.new else str(port.new)
    return text if port.required is None or port.required <= port.new else f"{text}, must be {port.required}"


def _use(consumer: Consumer) -> Iterator[str]:
    yield f"through {', '.join(consumer.columns) if consumer.columns is not None else 'any column'}"
    if consumer.notebooks:
        yield f"in notebook{'s' * (len(consumer.notebooks) > 1)} {', '.join(consumer.notebooks)}"


def _verdict(products: Sequence[ProductDiff]) -> str:
    problems = sum(len(product.problems) for product in products)
    reviews = sum(product.reviews for product in products)
    text = f"{counted(problems, 'problem')} to correct" if problems else "The versions follow the changes"
    return f"{text}; {counted(reviews, 'change')} for a person to judge." if reviews else f"{text}."


def _plain(text: str) -> str:
    """Return text of a file of the mesh with markup escaped."""
    for sign in "\\`*_[]|~":
        text = text.replace(sign, f"\\{sign}")
    return escape(" ".join(text.split()), quote=False)
