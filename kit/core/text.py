"""Plain text: places in files, aligned tables, numbers with nouns, text that a terminal can show."""

import codecs
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

PLAIN = "kit.plain"
"""The error handler for encodings that lack a character: `...` for `…`, `->` for `→`, else its escape."""

_LISTED = 20
_ALIKE = 0.8  # less, and ports of one product are all alike
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_ASCII = {
    "…": "...", "→": "->", "←": "<-", "–": "-", "—": "-", "·": "-", "×": "x", "’": "'", "“": '"', "”": '"', "│": "|",  # noqa: RUF001
    "\N{NO-BREAK SPACE}": " ",
}  # fmt: skip


def short(path: Path) -> str:
    """The path as a person would type it: relative to the working directory if it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def place(path: Path | None, line: int | None) -> str:
    """A place as `path:line`; the line, counted from 1, or all of it may be unknown."""
    if path is None:
        return ""
    return short(path) if line is None else f"{short(path)}:{line}"


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table with aligned columns."""
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in table]


def there_are(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the names like it, and those that there are, at most 20."""
    from difflib import get_close_matches

    names = list(known)
    near = [item for item in names if item.rpartition(".")[2] == name] or get_close_matches(
        name.lower(), names, n=3, cutoff=_ALIKE
    )
    listed = ", ".join(names[:_LISTED]) or "none"
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"{did_you_mean(near)} there are: {listed}{more}".lstrip()


def did_you_mean(near: Sequence[str]) -> str:
    """Return the question for at most three names that are like an unknown one; empty for none."""
    return f"did you mean {' or '.join(near[:3])}?" if near else ""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 source`, `2,000 sources`."""
    return f"{number:,} {plural(number, noun)}"


def plural(number: int, noun: str) -> str:
    """Return a noun as it is said of a number of things: `source` of 1, `sources` of all others."""
    return noun if number == 1 else f"{noun}s"


def visible(text: str) -> str:
    r"""Return a text with escapes for control characters: `\x1b` begins a command to the terminal.

    Tabs and ends of lines stay. Characters that change the direction of text count as control characters.
    """
    return _CONTROL.sub(lambda match: escaped(match[0]), text)


def escaped(text: str) -> str:
    """Return the escapes of all characters of a text, as Python writes them."""
    return (
        text.encode("ascii", "backslashreplace").decode()
        if not text.isascii()
        else "".join(f"\\x{ord(sign):02x}" for sign in text)
    )


def encodable(text: str, encoding: str) -> str:
    """Return a text in which an encoding has every character, by the error handler `PLAIN`."""
    return text.encode(encoding, PLAIN).decode(encoding)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_ASCII.get(sign) or escaped(sign) for sign in missing), error.end


codecs.register_error(PLAIN, _plain)
