"""How the CSV files of a source are written, where that differs from the default."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from kit.contracts.custom_properties import custom_property
from kit.core import Document, KitError

ENCODINGS = (
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "iso-8859-2", "iso-8859-15", "windows-1250", "windows-1251",
    "windows-1252", "shift_jis", "gb18030", "big5", "euc-kr",
)  # fmt: skip
"""The encodings that a contract can declare, by the names of Python's codecs."""

_PROPERTY = "csv"
_EXAMPLE = f'customProperties: [{{property: {_PROPERTY}, value: {{delimiter: ";"}}}}]'


@dataclass(frozen=True)
class CsvFormat:
    """The format of a CSV file. The header is its first line that is not empty, or the line `header_line`, counted from 1.

    `delimiter` is the one character between two fields of a record. A field that is one of `null_markers` is null, as an
    empty one is. With `decimal_comma`, numbers are written `1234,50`; with `open_end`, the last line may lack its end.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    header_line: int | None = None
    null_markers: tuple[str, ...] = ()
    decimal_comma: bool = False
    open_end: bool = False

    @classmethod
    def from_document(cls, document: Document) -> "CsvFormat":
        """The format that a contract declares in its custom property `csv`; raises `InvalidFile`."""
        where, declared = custom_property(document, [], document.data, _PROPERTY)
        if not where:
            return cls()
        if not isinstance(declared, Mapping) or not declared or not declared.keys() <= _KEYS.keys():
            allowed = ", ".join(_KEYS)
            raise document.error(where, f"{_PROPERTY}: {declared!r} is not a mapping of some of {allowed}; write {_EXAMPLE}")
        for key, value in declared.items():
            if problem := _problem(key, value):
                raise document.error([*where, key], f"{_PROPERTY}: {problem}")
        return cls.from_keys(declared)

    @classmethod
    def from_keys(cls, declared: Mapping[str, Any]) -> "CsvFormat":
        """The format of valid values by their keys in a contract."""
        values = {_KEYS[key].field: value for key, value in declared.items()}
        return cls(**values | {"null_markers": tuple(values.get("null_markers", ()))})

    def to_keys(self) -> dict[str, Any]:
        """What differs from the default, by the keys of a contract."""
        values = {key: getattr(self, item.field) for key, item in _KEYS.items()}
        defaults = {item.name: item.default for item in fields(self)}
        changed = {key: value for key, value in values.items() if value != defaults[_KEYS[key].field]}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in changed.items()}

    def to_property(self) -> dict[str, object]:
        """The custom property that declares this format."""
        return {"property": _PROPERTY, "value": self.to_keys()}


def csv_keys(options: Iterable[str]) -> dict[str, Any]:
    """The values that texts such as `delimiter=;` or `nullMarkers=NA,N/A` declare, by key; raises `KitError`."""
    declared: dict[str, Any] = {}
    for option in options:
        key, sign, text = option.partition("=")
        if not sign or key not in _KEYS:
            raise KitError(f"{option!r} is not KEY=VALUE; keys: {', '.join(_KEYS)}")
        if key in declared:
            raise KitError(f"{key} is given twice; keep one")
        declared[key] = _KEYS[key].parse(text)
        if problem := _problem(key, declared[key]):
            raise KitError(problem)
    return declared


@dataclass(frozen=True)
class _Key:
    """One key of the property: its field, a test of its values, the values it allows, and the value of a text."""

    field: str
    is_valid: Callable[[Any], bool]
    allowed: str
    parse: Callable[[str], Any]


def _problem(key: str, value: Any) -> str:
    """The problem of a value; empty for a valid one."""
    return "" if _KEYS[key].is_valid(value) else f"{key} {value!r} is not {_KEYS[key].allowed}"


def _is_delimiter(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 1 and value.isascii() and value not in '"\r\n\0'


def _are_markers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item for item in value)


def _flag(field: str) -> _Key:
    words = {"true": True, "false": False}
    return _Key(field, lambda value: isinstance(value, bool), "true or false", lambda text: words.get(text, text))


_KEYS = {
    "delimiter": _Key(
        "delimiter",
        _is_delimiter,
        'one ASCII character other than a quote or a line end, such as ";" or "\\t"',
        lambda text: "\t" if text in ("\\t", "tab") else text,
    ),
    "encoding": _Key("encoding", lambda value: value in ENCODINGS, f"one of {', '.join(ENCODINGS)}", str),
    "headerLine": _Key(
        "header_line",
        lambda value: type(value) is int and 1 <= value <= 1000,
        "the number of a line from 1 to 1000",
        lambda text: int(text) if text.isascii() and text.isdigit() else text,
    ),
    "nullMarkers": _Key(
        "null_markers",
        _are_markers,
        'a list of texts in quotes, such as ["NA", "-"]',
        lambda text: text.split(","),
    ),
    "decimalComma": _flag("decimal_comma"),
    "openEnd": _flag("open_end"),
}  # fmt: skip
