"""The rows of one person: the columns that hold its key by name and lineage, and the places in which its values are found."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from kit.build import masking_tokens
from kit.contracts import Contract, quarantine_table
from kit.core import Config, MaskError, UnknownName, database
from kit.lineage import column_lineage
from kit.mesh import RAW, Context
from kit.storage import Place, find_values

ROWS = ("raw data", "port", "quarantine", "unfinished build")
"""The kinds of places that hold rows, which a build makes anew without those that were erased."""

_DISTINCT = 5
"""Characters; a shorter value is part of too many others for a search of texts."""


@dataclass(frozen=True)
class ErasureKey:
    """The key of one person: the text of its value, all forms of it, and the columns that hold it, by `PRODUCT.TABLE`.

    `forms` are the value and its tokens; `others` are other values of the person in hidden columns.
    """

    column: str
    value: str
    columns: Mapping[str, frozenset[str]]
    forms: frozenset[str]
    others: frozenset[str] = frozenset()

    @classmethod
    def of(cls, context: Context, column: str, value: str, products: Collection[str] = ()) -> "ErasureKey":
        """Return the key of the rows in which a column of the mesh, or of some `products`, has a value.

        Columns of other names count where they are made from one such column alone, or are all that one is made from. Raises
        `UnknownName` for a column that no contract has, `MaskError` when the key that made tokens of it is missing.
        """
        found = _columns(context, column, products)
        secret, hidden = context.config.mask_key, _masked(context, found)
        if hidden and not secret:
            raise MaskError(
                f"{hidden[0]} has tokens of '{column}', which only KIT_MASK_KEY can find; set it to the key of this mesh"
            )
        return cls(column, value, found, frozenset({value, *(masking_tokens(secret.encode(), value) if hidden else ())}))

    @property
    def searched(self) -> frozenset[str]:
        """The values that can be searched in texts: those that are long enough to be no part of others."""
        return frozenset(text for text in (*self.forms, *self.others) if len(text) >= _DISTINCT)


def find_places(context: Context, key: ErasureKey) -> tuple[list[Place], ErasureKey]:
    """Return all places with rows of a key or with values of it, and the key with the person's other hidden values."""
    config, found, others = context.config, list[Place](), set[str]()
    hidden = {product.name: product.hidden_columns for product in context.mesh.products}
    for path, kind, product, version, table in _tables(config):
        with suppress(OSError):
            columns = key.columns.get(f"{product}.{table}", frozenset({key.column}))
            part, rows, values = _rows(path, columns, key, hidden.get(product, frozenset()))
            others |= values
            if rows:
                found.append(Place(kind, product, version, path, part, rows))
    key = replace(key, others=key.others | others)
    known = {place.path for place in found}
    numbers = {text for text in key.searched if text.isdigit()}  # in tables they may count something else
    for place in find_values(config, key.searched):
        is_table = place.kind in ROWS
        if place.path not in known and not (is_table and not key.searched - numbers):
            found.append(place)
    return sorted(found), key


def key_texts(key: ErasureKey, types: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the texts of a key in columns of these types, by column; those of a type that cannot hold it are left out."""
    texts: dict[str, set[str]] = {}
    with database.connect() as connection:
        for column, kind in types.items():
            query = f"select try_cast({database.literal(key.value)} as {kind})::varchar"
            (text,) = connection.execute(query).fetchone() or (None,)
            if text is not None:
                texts[column] = {str(text)}
    return texts


def _columns(context: Context, name: str, products: Collection[str]) -> dict[str, frozenset[str]]:
    """Return the columns that hold a key, by `PRODUCT.TABLE`, as names and lineage show."""
    contracts = dict(_contracts(context))
    every = {column.name for contract in contracts.values() for column in contract.columns}
    start = {
        f"{table}.{name}" for table, contract in contracts.items()
        if (not products or table.partition(".")[0] in products) and any(column.name == name for column in contract.columns)
    }  # fmt: skip
    if not start:
        near = get_close_matches(name, every, 1)
        hint = f"; there is: {near[0]}" if near else ""
        raise UnknownName(f"no contract{' of these products' if products else ''} has a column '{name}'{hint}")
    near_by = defaultdict[str, set[str]](set)
    for column, origins in column_lineage(context).items():
        if len(origins) == 1:
            near_by[column].add(origins[0])
            near_by[origins[0]].add(column)
    reached, waiting = set(start), list(start)
    while waiting:
        new = near_by[waiting.pop()] - reached
        reached |= new
        waiting += new
    columns = defaultdict[str, set[str]](set)
    for item in reached:
        table, _, column = item.rpartition(".")
        columns[table].add(column)
        columns[quarantine_table(table)].add(column)
    return {table: frozenset(names) for table, names in columns.items()}


def _contracts(context: Context) -> Iterator[tuple[str, Contract]]:
    for product in context.mesh.products:
        yield from ((f"{product.name}.{RAW}.{source.name}", source.contract) for source in product.sources)
        yield from ((port.id, port.contract) for port in product.ports)


def _masked(context: Context, columns: Mapping[str, Collection[str]]) -> list[str]:
    """Return the columns among these whose values are tokens."""
    return [
        f"{table}.{column.name}" for table, contract in _contracts(context) for column in contract.columns
        if column.name in columns.get(table, ()) and column.mask and column.mask.kind in ("hmac", "inherited")
    ]  # fmt: skip


def _tables(config: Config) -> Iterator[tuple[Path, str, str, str, str]]:
    """Yield all files of rows in a storage with kind, product, version and table."""
    for path in sorted((config.storage / RAW).glob("*/*/*.parquet")):
        yield path, "raw data", path.parts[-3], path.parts[-2], f"{RAW}.{path.parts[-2]}"
    for path in sorted((config.storage / "products").glob("*/*/*/*.parquet")):
        product, version, table = path.parts[-4:-1]
        kind = "unfinished build" if version.startswith(".") else "quarantine" if "__quarantine" in table else "port"
        yield path, kind, product, version, table


def _rows(path: Path, columns: Iterable[str], key: ErasureKey, hidden: Collection[str]) -> tuple[str, int, set[str]]:
    """Return the key columns of a file, its rows with the key, and the hidden texts that only these rows have."""
    import duckdb

    try:
        with database.connect() as connection:
            database.add_views(connection, {"searched": [path]})
            types = database.column_types(connection, "searched")
            names = sorted(set(columns) & types.keys())
            tests = []
            for name in names:
                texts = ", ".join(map(database.literal, sorted(key.forms)))
                cell = f"{database.quoted(name)}::varchar"
                tests.append(
                    f"{cell} in ({texts}) or {cell} = try_cast({database.literal(key.value)} as {types[name]})::varchar"
                )
            matches = f"coalesce({' or '.join(tests) or 'false'}, false)"
            (rows,) = connection.execute(f"select count(*) from searched where {matches}").fetchone() or (0,)
            values = set()
            for name in types.keys() & set(hidden) if rows else ():
                cell = f"{database.quoted(name)}::varchar"
                query = f"select {cell} from searched where {matches} except select {cell} from searched where not {matches}"
                values |= {str(value) for (value,) in connection.execute(query).fetchall() if value is not None}
            return ", ".join(names), int(rows), {value for value in values if not value.isdigit()}
    except duckdb.Error:  # a file that is not complete
        return "", 0, set()
