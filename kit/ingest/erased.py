"""The list of erased keys: rows that neither a source nor a history may bring again, known by salted hashes of keys alone."""

import hashlib
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kit.core import InvalidFile, database, exists, lock, read_record, to_json, write_durably

FILE = "erased.json"


@dataclass(frozen=True)
class ErasedKeys:
    """The erased keys of one source, or history of a dbt snapshot: hashes of the text of a key, by column.

    Whoever has the list can find a key by trying all; no key can be read from it.
    """

    salt: str = ""
    hashes: Mapping[str, Collection[str]] = field(default_factory=dict)

    @classmethod
    def load(cls, storage: Path, source: str) -> "ErasedKeys":
        """Return the erased keys of a source, `PRODUCT.SOURCE`, or of a `history`; raises `InvalidFile` for a damaged list."""
        salt, sources = _read(storage)
        return cls(salt, sources.get(source, {}))

    def digest(self, content: str) -> str:
        """Return the digest of content without the erased rows; that of `content` where nothing was erased."""
        return hashlib.sha256(f"{content} {to_json(self.hashes)}".encode()).hexdigest() if self.hashes else content

    def condition(self, columns: Collection[str]) -> str:
        """Return SQL for whether a row of a table with these columns was erased."""
        tests = []
        for name in sorted(self.hashes.keys() & set(columns)):
            listed = ", ".join(map(database.literal, self.hashes[name]))
            tests.append(f"sha256({database.literal(self.salt)} || {database.quoted(name)}::varchar) in ({listed})")
        return f"coalesce({' or '.join(tests) or 'false'}, false)"

    def remove_rows(self, file: Path, target: Path) -> int:
        """Write a Parquet file without its erased rows to `target`, unless it has none; return how many it has."""
        if not self.hashes:
            return 0
        with database.connect() as connection:
            database.add_views(connection, {"landed": [file]})
            types = database.column_types(connection, "landed")
            erased = self.condition(types)
            (rows,) = connection.execute(f"select count(*) from landed where {erased}").fetchone() or (0,)
            if rows:
                query = f"select * from landed where not {erased}"
                connection.execute(f"copy ({query}) to {database.literal(str(target))} (format parquet)")
        return int(rows)


def history(port: str) -> str:
    """Return the name in the list of the rows with which a dbt snapshot, the port `PRODUCT.PORT`, begins."""
    return f"{port} (history)"


def erase_keys(storage: Path, keys: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
    """Add the texts of keys, by `PRODUCT.SOURCE` or `history` and column, to the list, as salted hashes only."""
    with lock(storage / f".{FILE}.lock", wait=True):
        salt, sources = _read(storage)
        salt = salt or secrets.token_hex(16)
        for source, columns in keys.items():
            known = sources.setdefault(source, {})
            for column, texts in columns.items():
                known[column] = sorted({*known.get(column, ()), *(key_hash(salt, text) for text in texts)})
        ordered = {source: dict(sorted(columns.items())) for source, columns in sorted(sources.items())}
        write_durably(storage / FILE, to_json({"salt": salt, "sources": ordered}))


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
        return read_record(path, lambda data: (str(data["salt"]), {name: dict(item) for name, item in data["sources"].items()}))
    except InvalidFile as error:
        raise InvalidFile(f"the list of erased keys cannot be used, so nothing is landed: {error}", path) from None
