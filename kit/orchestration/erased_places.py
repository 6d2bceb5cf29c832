"""The rows of one person: the columns that hold its key by name and lineage, and the places in which its values are found."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.build import mask_key_fingerprint, masking_tokens
from kit.contracts import Contract, is_whole, quarantine_table
from kit.core import Config, MaskError, UnknownName, counted, database, there_are
from kit.lineage import column_flows
from kit.mesh import RAW, Context
from kit.storage import TOKENS, Place, Store, find_values, token_keys

if TYPE_CHECKING:
    import duckdb

ROWS = ("raw data", "port", "quarantine", "unfinished build")
"""The kinds of places that hold rows, which a build makes anew without those that were erased."""

_SEARCHED = "searched"
_DISTINCT = 5
"""Characters; a shorter value is part of too many others for a search of texts."""


@dataclass(frozen=True)
class ErasureKey:
    """The key of one person: the text of its value, all forms of it, and the columns that hold it, by `PRODUCT.TABLE`.

    `forms` are the value and its tokens, made with the keys whose fingerprints are `mask_keys`; `others` are other values of
    the person in hidden columns. `products` are those it was asked for, empty for all.
    """

    column: str
    value: str
    columns: Mapping[str, frozenset[str]]
    forms: frozenset[str]
    others: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    mask_keys: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, context: Context, column: str, value: str, products: Collection[str] = (), earlier_keys: Collection[str] = ()
    ) -> "ErasureKey":
        """Return the key of the rows in which a column of the mesh, or of some `products`, has a value.

        Tokens are those of the present masking key and of `earlier_keys`. Columns of other names count where they are copies of
        one such column, or one such column is a copy of them. Raises `UnknownName` for a column that no contract has,
        `MaskError` when the key that made tokens of it is missing.
        """
        found = _columns(context, column, products)
        hidden, secrets = _masked(context, found), {*filter(None, (context.config.mask_key, *earlier_keys))}
        if hidden and not context.config.mask_key:
            raise MaskError(
                f"{hidden[0]} has tokens of '{column}', which only KIT_MASK_KEY can find; set it to the key of this mesh"
            )
        types = {
            item.type
            for table, contract in _contracts(context)
            for item in contract.columns
            if item.name in found.get(table, ())
        }
        forms = {value, *_typed(value, filter(is_whole, types))}
        for secret in secrets:
            for text in {value, *_typed(value, types)}:
                forms |= {*masking_tokens(secret.encode(), text)}
        keys = frozenset(mask_key_fingerprint(secret.encode()) for secret in secrets)
        return cls(column, value, found, frozenset(forms), products=frozenset(products), mask_keys=keys)

    @property
    def searched(self) -> frozenset[str]:
        """The values that can be searched in texts: those that are long enough to be no part of others."""
        return frozenset(text for text in (*self.forms, *self.others) if len(text) >= _DISTINCT)


def find_places(context: Context, key: ErasureKey) -> tuple[list[Place], ErasureKey]:
    """Return all places with rows of a key or with values of it, and the key with the person's other hidden values."""
    config, found, others = context.config, list[Place](), set[str]()
    hidden = {product.name: product.hidden_columns for product in context.mesh.products}
    declared = {name for table, _ in _contracts(context) for name in (table, quarantine_table(table))}
    tables = []
    for path, kind, product, version, table in _tables(config):
        # A table without a contract, as of a product whose folder is gone, has the key in a column of its name.
        is_asked = f"{product}.{table}" not in declared and (not key.products or product in key.products)
        columns = key.columns.get(f"{product}.{table}", frozenset({key.column} if is_asked else ()))
        with suppress(OSError), _Rows.of(path, columns, key) as rows:
            number, names = rows.count(), hidden.get(product, frozenset())
            if number:
                found.append(Place(kind, product, version, path, ", ".join(rows.keys), number))
                others |= rows.texts(names)
            if rows.keys:
                tables.append((path, columns, names))
    others = {text for text in others if len(text) >= _DISTINCT and not text.isdigit()}
    for path, columns, names in tables if others else ():
        with suppress(OSError), _Rows.of(path, columns, key) as rows:
            others -= rows.texts(names, of_others=others)
    key = replace(key, others=key.others | others)
    known = {place.path for place in found}
    numbers = {text for text in key.searched if text.isdigit()}  # in tables they may count something else
    for place in find_values(config, key.searched):
        is_table = place.kind in ROWS
        if place.path not in known and not (is_table and not key.searched - numbers):
            found.append(place)
    return sorted(found), key


def unsearched(context: Context, key: ErasureKey) -> Iterator[str]:
    """Yield the products with snapshots that have tokens of keys other than those of an erasure, in which no row is found."""
    store = Store(context.config.storage)
    for product in store.products():
        if key.products and product not in key.products and not any(item.startswith(f"{product}.") for item in key.columns):
            continue
        unknown = defaultdict[str, list[str]](list)
        for snapshot in store.history(product):
            if any(_has_tokens(product, port, entry, key) for port, entry in snapshot.manifest["ports"].items()):
                for item in sorted(token_keys(store, snapshot) - key.mask_keys):
                    unknown[item].append(snapshot.version)
        for item, versions in unknown.items():
            names = f"{counted(len(versions), 'snapshot')} ({', '.join(versions)})"
            yield (
                f"{product}: {names} cannot be searched, with tokens of the key {item[:8]}; name the variable with this key in "
                f"--earlier-keys, or publish with the present one (`kit run {product} --force`) and delete the older ones "
                f"(`kit prune {product} --keep 1`)"
            )


def _has_tokens(product: str, port: str, entry: Mapping[str, Any], key: ErasureKey) -> bool:
    columns = key.columns.get(f"{product}.{port}", frozenset({key.column}))
    return any(kind in TOKENS for column, kind in entry.get("masked", {}).items() if column in columns)


def key_texts(key: ErasureKey, contract: Contract, columns: Collection[str]) -> dict[str, set[str]]:
    """Return the texts of a key in columns of a contract, with its tokens; columns that can hold none are left out."""
    texts = {
        column.name: _typed(key.value, (column.type,)) | (key.forms if column.mask else frozenset())
        for column in contract.columns if column.name in columns
    }  # fmt: skip
    return {name: found for name, found in texts.items() if found}


def _typed(value: str, types: Iterable[str]) -> set[str]:
    """Return the texts of a value in columns of these types, as `42` for `0042` in one of numbers."""
    with database.connect() as connection:
        casts = ", ".join(_cast(value, kind) for kind in ("varchar", *types))
        _, *texts = connection.execute(f"select {casts}").fetchone() or ("",)
        return {str(text) for text in texts if text is not None}


def _cast(value: str, kind: str) -> str:
    """Return SQL for the text of a value in a column of a type; null for one that the type does not hold, or would round."""
    plain = database.literal(value)
    text, number = f"try_cast({plain} as {kind})::varchar", f"try_cast({plain} as double)"
    return f"case when {number} is null or {number} = try_cast({text} as double) then {text} end"


def _columns(context: Context, name: str, products: Collection[str]) -> dict[str, frozenset[str]]:
    """Return the columns that hold a key, by `PRODUCT.TABLE`, as names and lineage show."""
    contracts = dict(_contracts(context))
    asked = {table: contract for table, contract in contracts.items() if not products or table.partition(".")[0] in products}
    every = {column.name for contract in asked.values() for column in contract.columns}
    start = {f"{table}.{name}" for table, contract in asked.items() if any(column.name == name for column in contract.columns)}
    if not start:
        of_these = " of these products" if products else ""
        raise UnknownName(f"no contract{of_these} has a column '{name}'; {there_are(name, sorted(every))}")
    near_by = defaultdict[str, set[str]](set)
    for column, flows in column_flows(context).items():
        if [flow.how for flow in flows] == ["copy"]:  # a count of keys may be equal to a key
            near_by[column].add(flows[0].origin)
            near_by[flows[0].origin].add(column)
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
        if column.name in columns.get(table, ()) and column.mask and column.mask.kind in TOKENS
    ]  # fmt: skip


def _tables(config: Config) -> Iterator[tuple[Path, str, str, str, str]]:
    """Yield all files of rows in a storage with kind, product, version and table."""
    for path in sorted((config.storage / RAW).glob("*/*/*.parquet")):
        yield path, "raw data", path.parts[-3], path.parts[-2], f"{RAW}.{path.parts[-2]}"
    for path in sorted((config.storage / "products").glob("*/*/*/*.parquet")):
        product, version, table = path.parts[-4:-1]
        kind = "unfinished build" if version.startswith(".") else "quarantine" if "__quarantine" in table else "port"
        yield path, kind, product, version, table


class _Rows:
    """The rows of a Parquet file that have a key in one of the columns `keys`, and all others; none of an unfinished file."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", columns: Collection[str], key: ErasureKey) -> None:
        self._connection = connection
        self._types = database.column_types(connection, _SEARCHED)
        self.keys = sorted(set(columns) & self._types.keys())
        texts, tests = ", ".join(map(database.literal, sorted(key.forms))), ["false"]
        for name in self.keys:
            cell = f"{database.identifier(name)}::varchar"
            tests.append(f"coalesce({cell} in ({texts}) or {cell} = {_cast(key.value, self._types[name])}, false)")
        self._matches = f"({' or '.join(tests)})"

    @classmethod
    @contextmanager
    def of(cls, path: Path, columns: Collection[str], key: ErasureKey) -> Iterator["_Rows"]:
        """Open a file."""
        import duckdb

        with database.connect() as connection:
            try:
                database.add_views(connection, {_SEARCHED: [path]})
            except duckdb.Error:  # it is not complete
                connection.execute(f"create table {_SEARCHED} (nothing integer)")
            with suppress(duckdb.Error):  # it is damaged, and nobody can read it
                yield cls(connection, columns, key)

    def count(self) -> int:
        """Return how many rows have the key."""
        (rows,) = self._connection.execute(f"select count(*) from {_SEARCHED} where {self._matches}").fetchone() or (0,)
        return int(rows)

    def texts(self, columns: Collection[str], of_others: Collection[str] = ()) -> set[str]:
        """Return the texts of some columns in the rows with the key, or those among `of_others` in the other rows."""
        found = set()
        for name in sorted(self._types.keys() & set(columns)):
            cell = f"{database.identifier(name)}::varchar"
            listed = ", ".join(map(database.literal, sorted(of_others)))
            condition = f"not {self._matches} and {cell} in ({listed})" if of_others else self._matches
            rows = self._connection.execute(f"select distinct {cell} from {_SEARCHED} where {condition}").fetchall()
            found |= {str(text) for (text,) in rows if text is not None}
        return found
