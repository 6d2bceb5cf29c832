"""The schema of a raw file without a contract: names that a contract can have, and the narrowest type of each column."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.contracts import CsvFormat
from kit.core import IDENTIFIER, KNOWN_TYPES, IngestError, database, normal_type, short
from kit.ingest.csv_table import CsvFile, CsvTable
from kit.ingest.raw_table import RawTable, parquet_columns, reason
from kit.ingest.typed_reader import SUFFIXES, is_raw_file, open_table

_COLUMNS_AT_ONCE = 20  # one query over hundreds of columns takes gigabytes
_DAY = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-[0-9]{2}-[0-9]{2}"
# The patterns of texts, the narrowest type first. Digits that start with 0 are identifiers and stay text.
_PATTERNS = (
    ("boolean", "true|false|True|False|TRUE|FALSE"),
    ("bigint", r"[+-]?(0|[1-9][0-9]{0,17})"),
    ("decimal(18,6)", r"[+-]?(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?"),
    ("double", r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"),
    ("date", _DAY),
    ("timestamp", rf"{_DAY}[ T][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]{{1,6}})?)?"),
)


@dataclass(frozen=True)
class RawFile:
    """A Parquet or CSV file without a contract. `names` are the names of its columns in the file, by the name proposed."""

    path: Path
    names: Mapping[str, str]
    csv: CsvFormat

    @classmethod
    def from_path(cls, path: Path) -> "RawFile":
        """Read the names of the columns and, for a CSV file, its delimiter; raises `IngestError` with one sentence."""
        import duckdb

        if path.is_dir():
            raise IngestError(f"{short(path)} is a folder; name one file, {', '.join(SUFFIXES)}")
        if not path.is_file():
            raise IngestError(f"there is no file {short(path)}")
        if not is_raw_file(path):
            raise IngestError(f"{short(path)} is none of {', '.join(SUFFIXES)}")
        if path.suffix.lower() != ".parquet":
            file = CsvFile.from_path(path, None, short(path))
            return cls(path, _proposed_names(path, file.header), file.format)
        try:
            with database.connect() as connection:
                return cls(path, _proposed_names(path, list(parquet_columns(connection, path))), CsvFormat())
        except duckdb.Error as error:
            raise IngestError(f"{short(path)} cannot be read: {reason(error, path)}") from None

    def write(self, target: Path) -> None:
        """Write the rows as Parquet under the proposed names, each column in the narrowest type that holds all its values.

        The rows are those that a source with these names, types and format lands. Raises `IngestError` for a file that
        cannot be read to its end, has no rows, or has a type that no contract can have.
        """
        with open_table(short(self.path), self.path, self.names, self.csv) as table:
            (rows,) = table.connection.execute("select count(*) from raw").fetchone() or (0,)
            if not rows:
                raise IngestError(f"{short(self.path)} has no rows, so that its types cannot be inferred; give it at least one")
            is_text = isinstance(table, CsvTable)
            table.write(dict(self._inferred_types(table) if is_text else self._declared_types(table)), target)

    def _declared_types(self, table: RawTable) -> Iterator[tuple[str, str]]:
        for column, declared in table.types.items():
            kind = normal_type(re.sub("^(time|timestamp)_(s|ms|ns)\\b", r"\1", declared))
            if kind is None:
                allowed = ", ".join(sorted(KNOWN_TYPES))
                raise IngestError(
                    f"the column '{self.names[column]}' is {declared}, which no contract can promise; cast it to {allowed}",
                    self.path,
                )
            yield column, kind

    def _inferred_types(self, table: RawTable) -> Iterator[tuple[str, str]]:
        columns = list(self.names)
        for start in range(0, len(columns), _COLUMNS_AT_ONCE):
            some = columns[start : start + _COLUMNS_AT_ONCE]
            tests = []
            for column in some:
                name = database.quoted(column)
                tests.append(f"max(length(split_part({name}, '.', 2)))")
                for kind, pattern in _PATTERNS:
                    test = f"regexp_full_match({name}, {database.literal(pattern)}) and try_cast({name} as {kind}) is not null"
                    tests.append(f"bool_and({test}) filter ({name} is not null)")
            results = iter(table.connection.execute(f"select {', '.join(tests)} from raw").fetchone() or ())
            for column in some:
                scale = next(results)
                fitting = [kind for kind, _ in _PATTERNS if next(results)]
                kind = fitting[0] if fitting else "varchar"
                yield column, f"decimal(18,{scale})" if kind.startswith("decimal") else kind


def identifier(text: str) -> str:
    """A name made of a text: `Store Nr.` becomes `store_nr`; empty when no character of it can stay."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return (f"n{name}" if name[:1].isdigit() else name)[:63]


def _proposed_names(path: Path, header: Sequence[str]) -> dict[str, str]:
    """The names in the file by those proposed; raises `IngestError` for a missing or duplicate name."""
    names: dict[str, str] = {}
    for position, raw_name in enumerate(header, 1):
        name = raw_name if IDENTIFIER.fullmatch(raw_name) else identifier(raw_name) or f"column_{position}"
        if not raw_name.strip():
            raise IngestError(f"the column {position} has no name in the first line; give it one", path)
        if raw_name in names.values():
            raise IngestError(f"the column '{raw_name}' occurs twice; rename one of them", path)
        if name in names:
            raise IngestError(
                f"the columns '{names[name]}' and '{raw_name}' would both be called '{name}'; rename one of them", path
            )
        names[name] = raw_name
    if not names:
        raise IngestError(f"{short(path)} is empty; a port needs at least columns")
    return names
