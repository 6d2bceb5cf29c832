"""A CSV or Parquet file that somebody starts from: its columns named, and typed by all of its values."""

import csv
import gzip
import re
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.core import IDENTIFIER, KNOWN_TYPES, IngestError, database, normal_type, short

SUFFIXES = (".csv", ".csv.gz", ".parquet")

_AT_ONCE = 20  # columns looked at in one query; hundreds take gigabytes
_DELIMITERS = (",", ";", "\t", "|")
# Which texts a type takes, the narrowest type first. Digits that begin with 0 identify something and stay text.
_SHAPES = (
    ("boolean", "true|false|True|False|TRUE|FALSE"),
    ("bigint", r"[+-]?(0|[1-9][0-9]{0,17})"),
    ("decimal(18,6)", r"[+-]?(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?"),
    ("double", r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"),
    ("date", r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    ("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"),
)


@dataclass(frozen=True)
class RawFile:
    """The file. `names` are its columns, as it calls them, with the names they get; `delimiter` is None for Parquet."""

    path: Path
    names: dict[str, str]
    delimiter: str | None

    @classmethod
    def of(cls, path: Path) -> "RawFile":
        """Look at the file's header; raises `IngestError` in one sentence for whatever cannot be used."""
        if path.is_dir():
            raise IngestError(f"{short(path)} is a folder; name one file, {_allowed()}")
        if not path.is_file():
            raise IngestError(f"there is no file {short(path)}")
        if path.stat().st_size == 0:
            raise IngestError(f"{short(path)} is empty; a port needs at least columns")
        if path.suffix == ".parquet":
            with _reading(path) as connection:
                database.add_views(connection, {"given": [path]})
                header, delimiter = [name for name, *_ in connection.execute("describe given").fetchall()], None
        else:
            header, delimiter = _header(path)
        return cls(path, _names(path, header), delimiter)

    @property
    def is_plain(self) -> bool:
        """Whether `kit.ingest` reads the file as it stands: names that a contract can have, commas in between."""
        return self.delimiter in (None, ",") and all(name == given for given, name in self.names.items())

    def write(self, target: Path) -> None:
        """Write the rows as Parquet under the new names, each column in the narrowest type that holds all its values.

        Raises `IngestError` for a file that cannot be read to its end, has no rows or types no contract knows.
        """
        with _reading(self.path) as connection:
            if self.delimiter is None:
                database.add_views(connection, {"given": [self.path]})
                types = dict(self._declared(connection))
            else:
                text = ", ".join(f"{database.literal(name)}: 'varchar'" for name in self.names)
                connection.execute(
                    f"create view given as select * from read_csv({database.literal(str(self.path))}, columns = {{{text}}}, "
                    f"header = true, auto_detect = false, delim = {database.literal(self.delimiter)}, quote = '\"', "
                    "escape = '\"', strict_mode = true)"
                )
                types = dict(self._seen(connection))
            casts = ", ".join(f"{_id(given)}::{types[given]} as {_id(name)}" for given, name in self.names.items())
            (rows,) = connection.execute("select count(*) from given").fetchone() or (0,)
            if not rows:
                raise IngestError(f"{short(self.path)} has no rows, so nobody can tell its types; give it at least one")
            connection.execute(f"copy (select {casts} from given) to {database.literal(str(target))} (format parquet)")

    def _declared(self, connection: Any) -> Iterator[tuple[str, str]]:
        for name, given, *_ in connection.execute("describe given").fetchall():
            kind = normal_type(
                "timestamp" if given.startswith("TIMESTAMP_") else "varchar" if given.startswith("ENUM") else given
            )
            if kind is None:
                allowed = ", ".join(sorted(KNOWN_TYPES))
                raise IngestError(
                    f"{short(self.path)}: the column '{name}' is {given}, which no contract can promise; "
                    f"cast it to one of {allowed}"
                )
            yield name, kind

    def _seen(self, connection: Any) -> Iterator[tuple[str, str]]:
        every = list(self.names)
        for start in range(0, len(every), _AT_ONCE):
            names = every[start : start + _AT_ONCE]
            tests = []
            for name in map(_id, names):
                tests.append(f"max(length(split_part({name}, '.', 2)))")
                for kind, shape in _SHAPES:
                    test = f"regexp_full_match({name}, {database.literal(shape)}) and try_cast({name} as {kind}) is not null"
                    tests.append(f"bool_and({test}) filter ({name} is not null)")
            found = iter(connection.execute(f"select {', '.join(tests)} from given").fetchone() or ())
            for name in names:
                scale = next(found)
                fits = [kind for kind, _ in _SHAPES if next(found)]
                kind = fits[0] if fits else "varchar"
                yield name, f"decimal(18,{scale})" if kind.startswith("decimal") else kind


def identifier(text: str) -> str:
    """A name made of a text: `Store Nr.` becomes `store_nr`; empty when nothing of it can stay."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return (f"n{name}" if name[:1].isdigit() else name)[:63]


def _names(path: Path, header: list[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for position, given in enumerate(header, 1):
        name = given if IDENTIFIER.fullmatch(given) else identifier(given) or f"column_{position}"
        if not given.strip():
            raise IngestError(f"{short(path)}: the column {position} has no name in the first line; give it one")
        if given in names:
            raise IngestError(f"{short(path)}: the column '{given}' stands twice; rename one of them")
        if name in names.values():
            (other,) = [key for key, value in names.items() if value == name]
            raise IngestError(
                f"{short(path)}: the columns '{other}' and '{given}' would both be called '{name}'; rename one of them"
            )
        names[given] = name
    return names


def _header(path: Path) -> tuple[list[str], str]:
    """The names in the first line of a CSV file, and what stands between them."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig", newline="") as file:
            start = file.read(1_000_000)
    except (OSError, EOFError, zlib.error) as error:
        raise IngestError(f"{short(path)} cannot be read: {error}") from None
    except UnicodeDecodeError:
        raise IngestError(f"{short(path)} is not UTF-8 text; save it as UTF-8") from None
    line = start.splitlines()[0] if start.strip() else ""
    delimiter = max(_DELIMITERS, key=line.count)
    try:
        return next(csv.reader(start.splitlines(keepends=True), delimiter=delimiter), []), delimiter
    except csv.Error as error:
        raise IngestError(f"{short(path)} is not readable CSV: {error}") from None


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """A connection for one file, whose errors become one sentence."""
    import duckdb

    try:
        with database.connect() as connection:
            yield connection
    except duckdb.Error as error:
        raise IngestError(f"{short(path)} cannot be read: {str(error).strip().splitlines()[0]}") from None


def _id(name: str) -> str:
    """One name as an SQL identifier, dots and all."""
    return '"' + name.replace('"', '""') + '"'


def _allowed() -> str:
    return ", ".join(SUFFIXES)
