"""Text of a contract diff: for a terminal, and for the comment on a pull request."""

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
    """Yield the diff for a terminal, problems last."""
    ports = [port for product in products for port in product.ports]
    if not products:
        yield Text(_NOTHING)
    width = max((len(change.where) for port in ports for change in (*port.changes, *port.needs)), default=0)
    for product in products:
        for change in product.changes:
            yield Text(product.product, style="bold")
            yield Text.assemble("  ", (f"{change.verdict:<7}", _STYLES[change.verdict]), f" {change.where}  {change.text}")
    for port in ports:
        yield Text(f"{port.port}  {_versions(port)}", style="bold")
        for change in (*port.changes, *port.needs):
            style = _STYLES[change.verdict]
            yield Text.assemble("  ", (f"{change.verdict:<7}", style), f" {change.where:<{width}}  {change.text}")
        for consumer in port.affected:
            yield Text(f"  affects {consumer.name} ({consumer.owner}, {consumer.contact}) {', '.join(_through(consumer))}")
        if port.is_breaking and not port.affected:
            yield Text("  no consumer is affected")
        if port.possible_consumers:
            yield Text(f"  {_possible(port)}", style="yellow")
    for problem in (problem for product in products for problem in product.problems):
        yield Text(problem, style="red")
    if products:
        yield Text(_verdict(products))


def markdown(products: Sequence[ProductDiff]) -> str:
    """Return the diff as GitHub's Markdown, problems first."""
    return "\n".join([MARK, "### Contracts", "", *_markdown(products)]) + "\n"


def _markdown(products: Sequence[ProductDiff]) -> Iterator[str]:
    if not products:
        yield _NOTHING
        return
    yield f"**{_verdict(products)}**"
    yield ""
    yield from [f"- {_plain(problem)}" for product in products for problem in product.problems]
    for product in products:
        yield from (f"- `{product.product}`: {_plain(f'{change.where} {change.text}')}" for change in product.changes)
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
            yield from ("", "No consumer is affected.")
        for item in port.affected:
            yield f"- **{item.name}** ({_plain(item.owner)}, {_plain(item.contact)}) {_plain(', '.join(_through(item)))}"
        if port.possible_consumers:
            yield from ("", f"{_plain(_possible(port)).capitalize()}.")


def _possible(port: PortDiff) -> str:
    return f"not known for {', '.join(port.possible_consumers)}: broken at the other revision"


def _versions(port: PortDiff) -> str:
    if port.old is None or port.new is None:
        return str(port.new or port.old or "")
    change = f"{port.old} → {port.new}" if port.old != port.new else str(port.new)
    return change if port.required is None or port.required <= port.new else f"{change}, must be {port.required}"


def _through(consumer: Consumer) -> Iterator[str]:
    yield f"through {', '.join(consumer.columns) if consumer.columns is not None else 'any column'}"
    if consumer.notebooks:
        yield f"in notebook{'s' * (len(consumer.notebooks) > 1)} {', '.join(consumer.notebooks)}"


def _verdict(products: Sequence[ProductDiff]) -> str:
    problems = sum(len(product.problems) for product in products)
    reviews = sum(product.reviews for product in products)
    result = f"{counted(problems, 'problem')} to fix" if problems else "All versions are bumped as required"
    return f"{result}; {counted(reviews, 'change')} to be judged by a person." if reviews else f"{result}."


def _plain(text: str) -> str:
    """Return text of a file escaped, so that it neither breaks a table nor becomes markup."""
    for sign in "\\`*_[]|~":
        text = text.replace(sign, f"\\{sign}")
    return escape(" ".join(text.split()), quote=False)
