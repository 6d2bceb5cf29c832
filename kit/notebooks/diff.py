"""Differences of two executed copies of a notebook: parameters, inputs, code, outputs, and how they ended."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from html.parser import HTMLParser
from typing import Any

from kit.notebooks.executed import Executed, source

_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class CellOutput:
    """One output: `kind` is text, table, picture or error; `rows` are lines with one value, or the rows of the table.

    Memory addresses and terminal colours are left out.
    """

    kind: str
    rows: tuple[tuple[str, ...], ...]


def cell_outputs(cell: Mapping[str, Any]) -> list[CellOutput]:
    """Return the outputs of a code cell; consecutive texts are joined."""
    result: list[CellOutput] = []
    for output in cell.get("outputs", ()):
        for item in _parse_output(output):
            if result and item.kind == result[-1].kind == "text":
                item = CellOutput("text", result.pop().rows + item.rows)
            result.append(item)
    return result


def _parse_output(output: Mapping[str, Any]) -> Iterator[CellOutput]:
    if output.get("output_type") == "stream":
        yield _text(output.get("text", ""))
    elif output.get("output_type") == "error":
        yield CellOutput("error", ((_plain(f"{output.get('ename')}: {output.get('evalue')}"),),))
    data = output.get("data", {})
    rows = _table("".join(data.get("text/html", "")))
    picture = next((kind for kind in data if kind.startswith("image/")), None)
    if rows:
        yield CellOutput("table", rows)
    elif picture:
        digest = hashlib.sha256("".join(data[picture]).strip().encode()).hexdigest()[:12]
        yield CellOutput("picture", ((f"{picture} {digest}",),))
    elif "text/plain" in data:
        yield _text(data["text/plain"])


def _text(text: str | list[str]) -> CellOutput:
    return CellOutput("text", tuple((_plain(line),) for line in "".join(text).splitlines()))


def _plain(text: str) -> str:
    return _ADDRESS.sub("0x…", _COLOUR.sub("", text)).rstrip()


def _table(html: str) -> tuple[tuple[str, ...], ...]:
    """Return the rows of the first table in HTML; empty when there is no table."""
    reader = _Rows()
    reader.feed(html)
    return tuple(tuple(map(_plain, row)) for row in reader.rows)


class _Rows(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._reading = False
        self._done = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr" and not self._done:
            self.rows.append([])
        elif tag in ("td", "th") and self.rows and not self._done:
            self.rows[-1].append("")
            self._reading = True

    def handle_endtag(self, tag: str) -> None:
        self._reading = self._reading and tag not in ("td", "th")
        self._done = self._done or tag == "table"

    def handle_data(self, data: str) -> None:
        if self._reading:
            self.rows[-1][-1] += data


@dataclass(frozen=True)
class Difference:
    """One difference. `kind` is parameter, input, end, code, text, table, picture or error.

    `where` names the differing part, `first` and `second` are its text in either copy, None where it is missing.
    """

    kind: str
    where: str
    first: str | None
    second: str | None

    @property
    def change(self) -> float | None:
        """The second number minus the first; None when the texts are not both numbers."""
        try:
            return float(str(self.second).replace(",", "")) - float(str(self.first).replace(",", ""))
        except ValueError:
            return None

    def to_json(self) -> dict[str, Any]:
        """Return the difference as JSON values."""
        return {**vars(self), "change": self.change}


def differences(first: Executed, second: Executed) -> list[Difference]:
    """Return all differences in the order of the notebook; times and memory addresses do not count."""
    result = [*_named("parameter", _texts(first.parameters), _texts(second.parameters))]
    result += _named("input", first.inputs, second.inputs)
    if first.error != second.error:
        result.append(Difference("end", "", first.error or "ran to its end", second.error or "ran to its end"))
    return [*result, *_cells(_code(first), _code(second))]


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: repr(value) for name, value in values.items()}


def _named(kind: str, first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[Difference]:
    for name in {**first, **second}:
        if first.get(name) != second.get(name):
            yield Difference(kind, name, first.get(name), second.get(name))


def _code(executed: Executed) -> list[Mapping[str, Any]]:
    """Return the code cells without those that papermill injected: parameters are compared by name."""
    cells = [cell for cell in executed.notebook["cells"] if cell.get("cell_type") == "code"]
    return [cell for cell in cells if "injected-parameters" not in (cell.get("metadata") or {}).get("tags", ())]


def _cells(first: list[Mapping[str, Any]], second: list[Mapping[str, Any]]) -> Iterator[Difference]:
    before, after = ([source(cell).rstrip() for cell in cells] for cells in (first, second))
    for _, start, end, other, other_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for step in range(max(end - start, other_end - other)):
            left, right = start + step, other + step
            if left >= end:
                yield Difference("code", f"new code cell {right + 1}", None, after[right])
            elif right >= other_end:
                yield Difference("code", f"code cell {left + 1}", before[left], None)
            else:
                where = f"code cell {left + 1}"
                if before[left] != after[right]:
                    yield Difference("code", where, before[left], after[right])
                yield from _outputs(where, cell_outputs(first[left]), cell_outputs(second[right]))


def _outputs(where: str, first: list[CellOutput], second: list[CellOutput]) -> Iterator[Difference]:
    for number in range(max(len(first), len(second))):
        left = first[number] if number < len(first) else None
        right = second[number] if number < len(second) else None
        if left == right:
            continue
        if left and right and left.kind == right.kind == "table" and _shape(left) == _shape(right):
            yield from _values(where, left.rows, right.rows)
        else:
            kind = (right or left or CellOutput("", ())).kind
            yield Difference(kind, where, _joined(left), _joined(right))


def _values(where: str, first: tuple[tuple[str, ...], ...], second: tuple[tuple[str, ...], ...]) -> Iterator[Difference]:
    """Yield the values that differ between two tables of the same shape; a row is named by its first value."""
    names = first[0]
    for number, (left, right) in enumerate(zip(first, second, strict=True)):
        for column, (value, other) in enumerate(zip(left, right, strict=True)):
            if value != other:
                row = left[0] if column and left[0] == right[0] else f"row {number}"
                yield Difference("table", f"{where}: {row}, {names[column] or column}", value, other)


def _shape(table: CellOutput) -> tuple[int, ...]:
    return tuple(map(len, table.rows))


def _joined(item: CellOutput | None) -> str | None:
    return None if item is None else "\n".join(" | ".join(row) for row in item.rows)


def lines(difference: Difference) -> list[str]:
    """Return a difference of several lines in the format of `diff`, without its header."""
    first, second = (text.splitlines() if text else [] for text in (difference.first, difference.second))
    return [line for line in unified_diff(first, second, n=0, lineterm="") if not line.startswith(("---", "+++", "@@"))]
