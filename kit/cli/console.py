"""Output of commands in a terminal: tables, next steps, JSON."""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from kit.core import ScrubbedStream, counted, encodable, to_json, visible

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType
    from rich.status import Status

    from kit.build import Trial
    from kit.governance import Score
    from kit.mesh import Mesh
    from kit.storage import Place, PortStatus, Pruned

# So that all eight traits fit beside a name into 80 columns.
_SHORT = {
    "discoverable": "discover", "addressable": "address", "understandable": "understand", "trustworthy": "trust",
    "accessible": "access", "interoperable": "interop", "valuable": "value",
}  # fmt: skip
_SHORT_TEXT = 20
_LEAST_NEEDED = ("snapshot", "owner", "rows")
"""Columns of the status, those first that a narrow terminal does without."""
_ANY_WIDTH = 10_000

_NOT_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class _Console(Console):
    """Prints values and names of others: without commands to the terminal, in the characters of its encoding."""

    def render(self, renderable: "RenderableType", options: "ConsoleOptions | None" = None) -> Iterator[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else self.shown(text), style, control)

    def shown(self, text: str) -> str:
        """Return a text as it will be printed; a table has to know its width."""
        return encodable(visible(text), self.encoding)


class _Errors(_Console):
    """Prints to standard error above the spinner that is on the line, which belongs to the other console."""

    def print(self, *objects: Any, **options: Any) -> None:
        spinners = tuple(spinning)
        for spinner in spinners:
            spinner.stop()
        try:
            super().print(*objects, **options)
        finally:
            for spinner in spinners:
                spinner.start()


spinning: "list[Status]" = []
"""The spinners that are shown."""
_is_terminal = sys.stdout.isatty()
console = _Console(markup=False, emoji=False, highlight=False, soft_wrap=not _is_terminal, width=None if _is_terminal else 160)
errors = _Errors(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


@contextmanager
def direct_output() -> Iterator[None]:
    """Print to standard output and error as they are now, also from inside a Dagster step.

    Dagster redirects descriptors 1 and 2 of a step to its log files, and copies these to the terminal with processes that
    may end before the last line.
    """
    with ExitStack() as stack:
        for output, stream in ((console, sys.stdout), (errors, sys.stderr)):
            with suppress(OSError):  # a stream without a descriptor is not redirected
                stream.flush()
                output.file = stack.enter_context(_duplicate(stream))
                stack.callback(setattr, output, "file", None)
        yield


def _duplicate(stream: TextIO) -> TextIO:
    if isinstance(stream, ScrubbedStream):
        return stream.duplicate()
    return os.fdopen(os.dup(stream.fileno()), "w", encoding=stream.encoding, errors=stream.errors)


def print_trials(trials: "Sequence[Trial]") -> None:
    """Print one line per combination of parameters."""
    names = list(trials[0].parameters)
    rows = [
        (
            trial.run_id,
            *(trial.parameters[name] for name in names),
            trial.verdict,
            ", ".join(f"{port} {count:,}" for port, count in trial.rows.items()),
            f"{trial.seconds:.1f}",
        )
        for trial in trials
    ]
    print_rows(["run", *names, "verdict", "rows", "seconds"], rows)
    runs = f" {trials[0].run_id} {trials[-1].run_id}" if len(trials) > 1 else " RUN_A RUN_B"
    console.print(f"nothing was published; compare two with: kit notebook diff{runs}", style="dim")


def print_status(rows: "Sequence[PortStatus]") -> None:
    """Print every port with its owner, rows, snapshot, freshness and checks, then deprecations and failures."""
    from kit.storage import format_raw, format_warnings

    console.print(_status_table(rows))
    for row in rows:
        if text := row.describe_offer():
            text += "" if row.readers or row.possible_readers or not row.port.end_of_life else ", read by no product"
            console.print(Text(f"{row.product.name}.{row.port.name}: {text}", "yellow"))
    for text in format_warnings(rows):
        console.print(Text(text, "yellow"))
    for text in format_raw(rows):
        console.print(Text(text, "yellow"))
    for note in dict.fromkeys(f"{row.product.name}: {row.note}" for row in rows if row.note):
        console.print(Text(note, style="red"))


def _status_table(rows: "Sequence[PortStatus]") -> Table:
    """Return the table of the ports; in a narrow terminal without the columns that matter least there."""
    from kit.storage import PortState

    styles = {PortState.FRESH: "green", PortState.LATE: "yellow", PortState.UNPUBLISHED: "yellow"}
    columns: dict[str, tuple[dict[str, Any], Callable[[PortStatus], str | Text]]] = {
        "product": ({"no_wrap": True}, lambda row: row.product.name),
        "port": ({"no_wrap": True}, lambda row: row.port.name),
        "owner": ({}, lambda row: console.shown(row.product.owner)),
        "rows": ({"justify": "right"}, lambda row: f"{row.port.rows:,}" if row.port.rows is not None else ""),
        "snapshot": ({"no_wrap": True}, lambda row: row.version or ""),
        "freshness / SLA": ({}, lambda row: Text(row.describe_freshness(), style=styles.get(row.state, "red"))),
        "checks": ({}, lambda row: Text(
            row.describe_checks(), style="red" if row.port.failed else "yellow" if row.port.warned else "")),
    }  # fmt: skip
    for dropped in (*_LEAST_NEEDED, ""):
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name, (options, _) in columns.items():
            table.add_column(name, **options)
        for row in rows:
            table.add_row(*(cell(row) for _, cell in columns.values()))
        if console.measure(table, options=console.options.update(width=_ANY_WIDTH)).maximum <= console.width:
            break
        columns.pop(dropped, None)
    return table


def print_pruned(result: "Mapping[str, Pruned]", dagster_runs: int, *, dry_run: bool) -> None:
    """Print one line per product with what was, or with `dry_run` would be, deleted of it."""
    verb = "would be deleted" if dry_run else "deleted"
    for name, pruned in result.items():
        more = {"run": pruned.runs, "raw file": pruned.raw_files}
        parts = [f"{counted(number, thing)}" for thing, number in more.items() if number]
        kept = "".join(f"; kept {item.version}, {item.kept_because}" for item in pruned.snapshots if item.kept_because)
        console.print(f"{name}: {', '.join([counted(len(pruned.deleted), 'snapshot'), *parts])} {verb}{kept}")
    if dagster_runs:
        console.print(f"{counted(dagster_runs, 'run')} of Dagster {verb}")


def print_places(places: "Iterable[Place]", root: Path) -> None:
    """Print one line per place in which values were found, without a value."""
    for place in places_json(places, root):
        owner = " ".join(filter(None, [place["product"], place["version"]]))
        kind, part = f"{place['kind']} of {owner}" if owner else place["kind"], f" ({place['part']})" if place["part"] else ""
        console.print(f"  {kind}: {place['path']}{part}, {counted(place['rows'], 'row')}")


def places_json(places: "Iterable[Place]", root: Path) -> list[dict[str, Any]]:
    """Return places as JSON values, with paths relative to the mesh where they are in it."""
    return [
        {**vars(place), "path": str(place.path.relative_to(root) if place.path.is_relative_to(root) else place.path)}
        for place in places
    ]


def print_scores(scores: "Sequence[Score]") -> None:
    """Print the score card in per cent, and the cheapest improvement of each product."""
    from kit.governance import TRAITS

    head = ["in %", *(_SHORT.get(trait, trait) for trait in TRAITS)]
    rows: list[list[Text]] = []
    for score in scores:
        shares = [score.share(trait) for trait in TRAITS]
        # Rounded down: 100 means that nothing is left to do.
        cells = ["n/a" if share is None else str(int(share * 100)) for share in shares]
        styles = ["dim" if share is None else "green" if share == 1 else "yellow" for share in shares]
        rows.append([Text(score.product), *map(Text, cells, styles)])
    console.print()
    _print_columns(head, rows)
    for score in scores:
        if fact := score.cheapest:
            console.print(Text(f"{score.product}: easiest improvement: {fact.fix} ({fact.trait}: {fact.text})", "dim"))


def _print_columns(head: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
    """Print texts and, to their right, numbers; as a table of Rich, which takes a millisecond a row, where they do not fit."""
    widths = [max(cell_len(str(cell)) for cell in column) for column in zip(head, *rows, strict=True)]
    if sum(widths) + 2 * len(head) > console.width or not all(str(row[0]).isascii() for row in rows):
        table = Table(box=None, header_style="bold", pad_edge=False)
        for number, name in enumerate(head):
            table.add_column(name, justify="right" if number else "left", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        return
    lines = []
    for row in ([Text(name, "bold") for name in head], *rows):
        first, *numbers = row
        line = [(f"{first!s:<{widths[0]}}", first.style)]
        for width, cell in zip(widths[1:], numbers, strict=True):
            line += [(f"  {'':<{width - len(cell)}}", ""), (str(cell), cell.style)]
        lines.append(Text.assemble(*line))
    console.print(Text("\n").join(lines))


def print_next(mesh: "Mesh", failed: Sequence[str]) -> None:
    """Print up to three commands to try next, first those that build the failed products again."""
    if not mesh.names:
        console.print("\nThis mesh has no data product yet; `kit new NAME --from FILE` makes one", style="bold")
        return
    models = [port for product in mesh.products for port in product.ports if mesh.consumers(product.name) and not port.notebook]
    notebooks = [port for port in mesh.ports if port.notebook]
    steps = [f"kit run {name}" for name in failed] + [f"kit read {port.id}" for port in (notebooks or mesh.ports)[-1:]]
    for port in models[-1:]:
        product = port.id.partition(".")[0]
        steps.append(f'kit read {port.id} --sql "select count(*) as n from {port.name}"')
        steps.append(f"edit domains/{product}/models/marts/{port.name}.sql, then: kit run {product} --downstream")
    steps = steps[:3]
    if not steps:
        return
    count = ("One thing", "Two things", "Three things")[len(steps) - 1]
    console.print(f"\n{count} to try next", style="bold")
    if shutil.which("kit") is None:
        activate = Path(sys.prefix, "bin", "activate")
        console.print(f"  first, once per shell: source {os.path.relpath(activate)}")
    for step in steps:
        console.print(f"  {step}")


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table; columns of numbers are aligned to the right."""
    table, columns = Table(box=None, header_style="bold", pad_edge=False), [*map(console.shown, columns)]
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, texts)) for texts in zip(columns, *cells, strict=True)]
    # Long texts share the width that short ones leave; rich would cut both alike.
    long = [width for width in widths if width > _SHORT_TEXT]
    share = (console.width - sum(widths) + sum(long) - 2 * len(widths)) // (len(long) or 1)
    for position, (column, width) in enumerate(zip(columns, widths, strict=True)):
        numeric = all(_is_number(row[position]) for row in rows)
        widest = max(share, _SHORT_TEXT) if width > _SHORT_TEXT else None
        table.add_column(column, justify="right" if numeric and rows else "left", no_wrap=True, max_width=widest)
    for row in cells:
        table.add_row(*row)
    console.print(table)


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool))


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,.2f}" if isinstance(value, float) else console.shown(str(value))


def print_json(value: Any) -> None:
    """Print a value as JSON for scripts."""
    print(_json(to_json(value)), end="")


def print_json_rows(rows: Iterable[str]) -> None:
    """Print rows, each the JSON of one, as they come."""
    ending = "[]"
    for number, row in enumerate(rows):
        print(_json(f",\n {row}" if number else f"[\n {row}"), end="")
        ending = "\n]"
    print(ending)


def _json(text: str) -> str:
    """Return JSON for standard output, with escapes of control characters and of those that its encoding lacks."""
    text = _NOT_IN_JSON.sub(_json_escape, text)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return _NOT_ASCII.sub(_json_escape, text)
    return text


def _json_escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1] if match[0] != "\x7f" else "\\u007f"


_NOT_ASCII = re.compile("[^\x00-\x7f]")
