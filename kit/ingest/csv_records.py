"""The records of a CSV file, found in its bytes without a reader of values: where each starts and how many fields it has."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST = 2_000_000
"""The bytes that a record may have; DuckDB reads no longer ones."""

_QUOTE, _LF, _CR = 34, 10, 13
_LINE_ENDS = ("LF", "CR LF", "CR")


class BadRecords(Exception):
    """The bytes are no CSV; the text is the problem, as it follows the name of the file."""


@dataclass(frozen=True)
class Batch:
    """Some records one after another: the line on which each starts, counted from 1, and its number of fields."""

    lines: "NDArray[np.intp]"
    fields: "NDArray[np.intp]"


class RecordScan:
    """One pass over the UTF-8 bytes of a file, from the line `header_line` on. Empty lines are no records.

    A quote that begins a field opens it, as in RFC 4180; one within an unquoted field is a character of it. After the pass
    `header` holds the fields of the first record, `is_ended` is false when the last line has no end, and `gap` is the
    first empty line after the header, None without one.
    """

    def __init__(self, delimiter: str, header_line: int | None = None) -> None:
        import numpy as np

        self.delimiter, self.header_line = delimiter, header_line or 1
        self.header: tuple[str, ...] = ()
        self.has_quotes, self.is_ended = False, True
        self.gap: int | None = None
        self._border_bytes = delimiter.encode() + b"\r\n"  # a quoted field lies between two of these
        self._borders = np.isin(np.arange(256), list(self._border_bytes))
        self._lines = 0  # passed so far
        self._line_end: int | None = None  # its place in `_LINE_ENDS`
        self._opened = 0  # the line of an open quote

    def batches(self, chunks: Iterable[bytes]) -> Iterator[Batch]:
        """The records of the file; raises `BadRecords` for bytes that are no CSV."""
        block, pieces = b"", self._from_header(iter(chunks))
        chunk = next(pieces, b"")
        for following in chain(pieces, (None,)):
            block += chunk
            if following is not None:
                # The last byte decides on the meaning of the one before it.
                batch, used = self._records(block[:-1], block[-1:])
            elif block:
                self.is_ended = block.endswith((b"\n", b"\r"))
                batch, used = self._records(block if self.is_ended else block + b"\n", b"\0")
            else:
                return
            yield batch
            block, chunk = block[used:], following or b""
            if following is None and block:
                problem = "a quote opens a value and is never closed; close it, or write the quotes within a quoted value twice"
                raise BadRecords(f", line {self._opened:,}: {problem}")
            if len(block) > LONGEST:
                self._refuse_long(self._lines + 1)

    def _from_header(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The bytes from the line of the header on."""
        data, skipped = b"", self.header_line - 1
        for chunk in chunks:
            data += chunk
            # The byte after a carriage return decides whether it is a line end.
            ends = list(re.finditer(rb"\r\n|\n|\r(?=[^\n])", data)) if skipped else []
            if len(ends) >= skipped:
                if skipped:
                    self._line_end, self._lines = (b"\n", b"\r\n", b"\r").index(ends[0][0]), skipped
                yield data[ends[skipped - 1].end() :] if skipped else data
                yield from chunks
                return
        if skipped:
            raise BadRecords(f": has no line {self.header_line:,}, on which its header is declared")

    def _records(self, data: bytes, after: bytes) -> tuple[Batch, int]:
        """The records that end in these bytes, the first of which starts one, and the number of bytes they take.

        `after` is the byte that follows.
        """
        import numpy as np

        text = np.frombuffer(b"\n" + data + after, np.uint8)
        before, body, following = text[: len(data)], text[1 : len(data) + 1], text[2:]
        is_end = body == _LF
        if b"\r" in data:
            is_end |= (body == _CR) & (following != _LF)
        line_ends, delimiters = np.flatnonzero(is_end), np.flatnonzero(body == ord(self.delimiter))
        ends, toggles = line_ends, self._toggles(before, body, following, line_ends)
        if toggles.size:
            ends = line_ends[np.searchsorted(toggles, line_ends) % 2 == 0]
            delimiters = delimiters[np.searchsorted(toggles, delimiters) % 2 == 0]
        starts = np.concatenate(([0], ends + 1))  # the last one is that of the record which is not at its end
        lines = np.searchsorted(line_ends, starts) + self._lines + 1
        fields = np.diff(np.searchsorted(delimiters, ends), prepend=0) + 1
        is_pair = (before[ends] == _CR) & (body[ends] == _LF)
        lengths = ends - starts[:-1] - is_pair
        if lengths.size:
            self._check_line_ends(np.where(is_pair, 1, 2 * (body[ends] == _CR)), lines)
            if int(lengths.max()) > LONGEST:
                self._refuse_long(int(lines[int(lengths.argmax())]))
        (records,) = np.nonzero(lengths)
        if records.size and not self.header:
            first = int(records[0])
            header = data[int(starts[first]) : int(starts[first] + lengths[first])].decode()
            self.header = split_fields(header, self.delimiter)
            lengths[:first] = 1  # empty lines before the header are no gap
        if self.header and self.gap is None:
            (empty,) = np.nonzero(lengths == 0)
            self.gap = int(lines[empty[0]]) if empty.size else None
        self._lines = int(lines[-1]) - 1
        return Batch(lines[records], fields[records]), int(starts[-1])

    def _toggles(
        self,
        before: "NDArray[np.uint8]",
        body: "NDArray[np.uint8]",
        following: "NDArray[np.uint8]",
        line_ends: "NDArray[np.intp]",
    ) -> "NDArray[np.intp]":
        """The places of the quotes that open and close quoted text in turn; two within a value close and open it again."""
        import numpy as np

        quotes = np.flatnonzero(body == _QUOTE)
        if not quotes.size:
            return quotes
        self.has_quotes = True
        is_opening = np.arange(quotes.size) % 2 == 0
        earlier, later = before[quotes], following[quotes]
        fits = np.where(is_opening, self._borders[earlier] | (earlier == _QUOTE), self._borders[later] | (later == _QUOTE))
        if not fits.all():
            first = int(fits.argmin())
            quotes = self._toggles_one_by_one(before, following, quotes[:first].tolist(), quotes[first:], line_ends)
        if quotes.size % 2:
            self._opened = self._line(line_ends, _opening(quotes))
        return quotes

    def _toggles_one_by_one(
        self,
        before: "NDArray[np.uint8]",
        following: "NDArray[np.uint8]",
        toggles: list[int],
        quotes: "NDArray[np.intp]",
        line_ends: "NDArray[np.intp]",
    ) -> "NDArray[np.intp]":
        """The toggles where some quotes are characters of unquoted fields; `toggles` are the ones before."""
        import numpy as np

        borders, is_inside, last = self._border_bytes, len(toggles) % 2 == 1, toggles[-1] if toggles else -2
        for place, earlier, later in zip(quotes.tolist(), before[quotes].tolist(), following[quotes].tolist(), strict=True):
            if not is_inside and earlier not in borders and last != place - 1:
                start = bytes(before[max(0, place - 200) : place + 1]).rstrip(b" ") if earlier == ord(" ") else b""
                if start and start[-1] in borders:
                    problem = "a space is before a quote; remove it, or write the value in quotes and each quote in it twice"
                    raise BadRecords(f", line {self._line(line_ends, place):,}: {problem}")
                continue
            if is_inside and later not in borders and later != _QUOTE:
                problem = (
                    f"a quote opens a value, and text follows the one that closes it, on line {self._line(line_ends, place):,}"
                )
                opened = self._line(line_ends, _opening(toggles))
                raise BadRecords(f", line {opened:,}: {problem}; write the quotes within a quoted value twice")
            toggles.append(place)
            is_inside, last = not is_inside, place
        return np.array(toggles, np.intp)

    def _line(self, line_ends: "NDArray[np.intp]", place: int) -> int:
        """The line of a place in the bytes at hand."""
        return int(line_ends.searchsorted(place)) + self._lines + 1

    def _check_line_ends(self, kinds: "NDArray[np.intp]", lines: "NDArray[np.intp]") -> None:
        """Raise `BadRecords` where lines end in different ways."""
        kinds = kinds if self.is_ended else kinds[:-1]  # the last one was added
        if not kinds.size:
            return
        self._line_end = int(kinds[0]) if self._line_end is None else self._line_end
        wrong = kinds != self._line_end
        if wrong.any():
            place = int(wrong.argmax())
            raise BadRecords(
                f" cannot be read: its lines must all end the same way; line {int(lines[place + 1]) - 1:,} ends with "
                f"{_LINE_ENDS[int(kinds[place])]}, the first one with {_LINE_ENDS[self._line_end]}"
            )

    def _refuse_long(self, line: int) -> None:
        raise BadRecords(f", line {line:,}: the record has more than {LONGEST:,} bytes, the most that can be read")


def _opening(toggles: "Sequence[int] | NDArray[np.intp]") -> int:
    """The place of the quote that is open after an odd number of toggles."""
    place = len(toggles) - 1
    while place > 0 and toggles[place - 1] == toggles[place] - 1:
        place -= 2
    return int(toggles[place])


def split_fields(record: str, delimiter: str) -> tuple[str, ...]:
    """The fields of one record, its end not included."""
    sign = re.escape(delimiter)
    pattern = re.compile(rf'"((?:[^"]|"")*)"(?={sign}|\Z)|([^{sign}]*)')
    fields, place = [], 0
    while place <= len(record) and (match := pattern.match(record, place)):
        fields.append(match[2] if match[1] is None else match[1].replace('""', '"'))
        place = match.end() + 1
    return tuple(fields)
