"""How the CSV files of a source are written, where that differs from the default."""

from collections.abc import Mapping
from dataclasses import dataclass

from kit.contracts.custom_properties import custom_property
from kit.core import Document

_PROPERTY = "csv"
_EXAMPLE = f'customProperties: [{{property: {_PROPERTY}, value: {{delimiter: ";"}}}}]'


@dataclass(frozen=True)
class CsvFormat:
    """The format of a CSV file: `delimiter` is the one character between two fields of a record."""

    delimiter: str = ","

    @classmethod
    def from_document(cls, document: Document) -> "CsvFormat":
        """The format that a contract declares in its custom property `csv`; raises `InvalidFile`."""
        where, declared = custom_property(document, [], document.data, _PROPERTY)
        if not where:
            return cls()
        if not isinstance(declared, Mapping) or declared.keys() != {"delimiter"}:
            raise document.error(where, f"{_PROPERTY}: {declared!r} is not a mapping with the key delimiter; write {_EXAMPLE}")
        delimiter = declared["delimiter"]
        if not isinstance(delimiter, str) or len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
            problem = f"{_PROPERTY}: delimiter {delimiter!r} is not one ASCII character other than a quote or a line end"
            raise document.error([*where, "delimiter"], f"{problem}; write {_EXAMPLE}")
        return cls(delimiter)

    def to_property(self) -> dict[str, object]:
        """The custom property that declares this format."""
        return {"property": _PROPERTY, "value": {"delimiter": self.delimiter}}
