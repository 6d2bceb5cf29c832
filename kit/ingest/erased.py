"""The list of erased keys: rows that no table may get again, known by salted hashes of their keys alone."""

import hashlib
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kit.core import InvalidFile, database, exists, lock, read_record, to_json, write_durably

FILE = "erased.json"


@dataclass(frozen=True)
class ErasedKeys:
    """The erased keys of one table: hashes of the text of a key, by column.

    Whoever has the list can find a key by trying all; no key can be read from it.
    """

    salt: str = ""
    hashes: Mapping[str, Collection[str]] = field(default_factory=dict)

    @classmethod
    def load(cls, storage: Path, table: str) -> "ErasedKeys":
        """Return those of a table, `PRODUCT.raw.SOURCE` or `PRODUCT.PORT`; raises `InvalidFile` for a damaged list."""
        salt, tables = _read(storage)
        return cls(salt, tables.get(table, {}))

    def digest(self, content: str) -> str:
        """Return the digest of content without the erased rows; that of `content` where nothing was erased."""
        return hashlib.sha256(f"{content} {to_json(self.hashes)}".encode()).hexdigest() if self.hashes else content

    def remove_rows(self, file: Path, target: Path) -> int:
        """Write a Parquet file without its erased rows to `target`, unless it has none; return how many it has."""
        if not self.hashes:
            return 0
        with database.connect() as connection:
            database.add_views(connection, {"landed": [file]})
            erased = self.condition(database.column_types(connection, "landed"))
            (rows,) = connection.execute(f"select count(*) from landed where {erased}").fetchone() or (0,)
            if rows:
                query = f"select * from landed where not {erased}"
                connection.execute(f"copy ({query}) to {database.literal(str(target))} (format parquet)")
        return int(rows)

    def condition(self, columns: Collection[str]) -> str:
        """Return SQL for the rows of a table with these columns that were erased."""
        tests = []
        for name in sorted(self.hashes.keys() & set(columns)):
            listed = ", ".join(map(database.literal, self.hashes[name]))
            tests.append(f"sha256({database.literal(self.salt)} || {database.quoted(name)}::varchar) in ({listed})")
        return f"coalesce({' or '.join(tests) or 'false'}, false)"


def erase_keys(storage: Path, keys: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
    """Add the texts of keys, by table and column, to the list; they are stored as salted hashes only."""
    with lock(storage / f".{FILE}.lock", wait=True):
        salt, tables = _read(storage)
        salt = salt or secrets.token_hex(16)
        for table, columns in keys.items():
            known = tables.setdefault(table, {})
            for column, texts in columns.items():
                known[column] = sorted({*known.get(column, ()), *(key_hash(salt, text) for text in texts)})
        ordered = {table: dict(sorted(columns.items())) for table, columns in sorted(tables.items())}
        write_durably(storage / FILE, to_json({"salt": salt, "tables": ordered}))


def key_hash(salt: str, text: str) -> str:
    """Return the hash by which the list knows the text of a key."""
    return hashlib.sha256((salt + text).encode()).hexdigest()


def salt_of(storage: Path) -> str:
    """Return the salt of the list; empty before the first erasure."""
    return _read(storage)[0]


def _read(storage: Path) -> tuple[str, dict[str, dict[str, list[str]]]]:
    path = storage / FILE
    if not exists(path):
        return "", {}
    try:
        return read_record(path, lambda data: (str(data["salt"]), {name: dict(item) for name, item in data["tables"].items()}))
    except InvalidFile as error:
        raise InvalidFile(f"the list of erased keys cannot be used, so nothing is built: {error}", path) from None
