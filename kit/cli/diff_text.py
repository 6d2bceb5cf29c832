"""A diff of contracts as people read it: in a terminal, and in a comment on a pull request."""

from collections.abc import Iterator, Sequence
from html import escape

from rich.text import Text

from kit.governance import Consumer, PortDiff, ProductDiff

MARK = "<!-- kit diff -->"
"""What the comment begins with, so that the next one takes its place."""

_STYLES = {"major": "red", "minor": "green", "review": "yellow", "patch": ""}
_NOTHING = "No contract has changed."


def lines(products: Sequence[ProductDiff]) -> Iterator[Text]:
    """The diff for a terminal, what must be put right last."""
    ports = [port for product in products for port in product.ports]
    if not ports:
        yield Text(_NOTHING)
    width = max((len(change.where) for port in ports for change in (*port.changes, *port.needs)), default=0)
    for port in ports:
        yield Text(f"{port.port}  {_versions(port)}", style="bold")
        for change in (*port.changes, *port.needs):
            style = _STYLES[change.verdict]
            yield Text.assemble("  ", (f"{change.verdict:<7}", style), f" {change.where:<{width}}  {change.text}")
        for consumer in port.hit:
            yield Text(f"  hits    {consumer.name} ({consumer.owner}, {consumer.contact}) {', '.join(_through(consumer))}")
        if port.grave and not port.hit:
            yield Text("  no consumer is hit")
    for problem in (problem for product in products for problem in product.problems):
        yield Text(problem, style="red")
    if products:
        yield Text(_verdict(products))


def markdown(products: Sequence[ProductDiff]) -> str:
    """The diff as GitHub's Markdown, what must be put right first."""
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
        if port.hit:
            yield from ("", "Hits:", "")
        elif port.grave:
            yield from ("", "No consumer is hit.")
        for item in port.hit:
            yield f"- **{item.name}** ({_plain(item.owner)}, {_plain(item.contact)}) {_plain(', '.join(_through(item)))}"


def _versions(port: PortDiff) -> str:
    if port.old is None or port.new is None:
        return str(port.new or port.old or "")
    said = f"{port.old} → {port.new}" if port.old != port.new else str(port.new)
    return said if port.wanted is None or port.wanted <= port.new else f"{said}, must be {port.wanted}"


def _through(consumer: Consumer) -> Iterator[str]:
    yield f"through {', '.join(consumer.columns) if consumer.columns is not None else 'any column'}"
    if consumer.notebooks:
        yield f"in notebook{'s' * (len(consumer.notebooks) > 1)} {', '.join(consumer.notebooks)}"


def _verdict(products: Sequence[ProductDiff]) -> str:
    problems = sum(len(product.problems) for product in products)
    reviews = sum(product.reviews for product in products)
    said = f"{problems} thing{'s' * (problems != 1)} must be put right" if problems else "The versions say what has changed"
    return f"{said}; {reviews} change{'s' * (reviews != 1)} for a person to judge." if reviews else f"{said}."


def _plain(text: str) -> str:
    """Text of somebody's file that neither breaks a table nor becomes markup."""
    for sign in "\\`*_[]|~":
        text = text.replace(sign, f"\\{sign}")
    return escape(" ".join(text.split()), quote=False)
