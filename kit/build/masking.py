"""Masking before publication: values are replaced as contracts declare, with a key that only the environment contains."""

import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kit.contracts import Column, Contract, is_whole
from kit.core import MASK_KEY, Config, MaskError, database
from kit.mesh import Context, DataProduct
from kit.storage import Store, current_mask_keys

if TYPE_CHECKING:
    import duckdb

SHORTEST_KEY = 16
"""Characters; a shorter key could be found by brute force."""


def _contracts(product: DataProduct) -> list[Contract]:
    return [source.contract for source in product.sources] + [port.contract for port in product.ports]


def key(config: Config, product: DataProduct) -> bytes | None:
    """Return the key for the tokens of a product, None when it makes none; raises `MaskError` when it is missing or short."""
    keyed = [
        f"{contract.id}.{column.name}"
        for contract in _contracts(product)
        for column in contract.masked_columns
        if column.mask and column.mask.kind == "hmac"
    ]
    if not keyed:
        return None
    problem = "is not set" if not config.mask_key else f"has only {len(config.mask_key)} characters"
    if len(config.mask_key) < SHORTEST_KEY:
        raise MaskError(
            f"'{product.name}' masks {keyed[0]}, but the environment variable {MASK_KEY} {problem}; nothing was published. "
            f"Set it to the key of this mesh, at least {SHORTEST_KEY} random characters, the same for every product"
        )
    return config.mask_key.encode()


def key_problem(config: Config, products: Sequence[DataProduct]) -> str:
    """Return why tokens of the products cannot be made with the key of this environment; empty when they can."""
    for product in products:
        try:
            key(config, product)
        except MaskError as error:
            return str(error).partition("; nothing was published")[0]
    return ""


def fingerprint(secret: bytes) -> str:
    """Return a digest that identifies a key without revealing it."""
    return hmac.digest(secret, b"fingerprint of the key", "sha256").hex()[:16]


def masked_with_other_key(context: Context, products: Sequence[DataProduct]) -> tuple[str, ...]:
    """Return the products to build together with `products`, since their tokens were made with another key.

    Without them, masked columns of the products would not join with theirs any more. Empty when `products` make no tokens.
    """
    config = context.config
    if len(config.mask_key) < SHORTEST_KEY or not any(key(config, product) for product in products):
        return ()
    present = {fingerprint(config.mask_key.encode())}
    built = {product.name for product in products}
    keys = current_mask_keys(Store(config.storage), (product.name for product in context.mesh.products))
    return tuple(name for name, used in keys.items() if name not in built and not used <= present)


def token(secret: bytes, value: str) -> str:
    """Return the token of a value, 32 hex digits; it depends on the value's text alone, not on the column's type."""
    return hmac.digest(secret, value.encode(), "sha256").hex()[:32]


def number(token: str) -> int:
    """Return a token for a bigint column: its first 63 bits."""
    return int(token[:16], 16) >> 1


def tokens(secret: bytes, value: str) -> tuple[str, str]:
    """Return the texts of the tokens of a value: that of a text column, and that of a bigint column."""
    text = token(secret, value)
    return text, str(number(text))


def write(contract: Contract, source: Path, target: Path, secret: bytes | None) -> None:
    """Write the masked rows of one Parquet file to another one.

    Rows are sorted by their published values, since the original order could reveal which is which. Raises `MaskError`, and
    leaves no file, when the result lacks a column or a required value of the contract.
    """
    import duckdb

    lookups: list[Path] = []
    try:
        with database.connect() as connection:
            database.add_views(connection, {"plain": [source]})
            values, joins = [], []
            for position, column in enumerate(contract.columns):
                name = database.quoted(column.name)
                value = f"plain.{name}"
                if column.mask and column.mask.kind == "hmac" and secret:
                    lookup = target.with_suffix(f".{position}.lookup")
                    lookups.append(lookup)
                    _lookup(connection, column, lookup, secret)
                    table = f"{database.parquet([lookup])} as l{position}"
                    joins.append(f"left join {table} on l{position}.value = {value}")
                    value = f"l{position}.token"
                elif column.mask and column.mask.applies:
                    value = _value(column, value)
                values.append(f"{value} as {name}")
            order = ", ".join(database.quoted(name) for name in contract.key) or "all"
            rows = f"select * from (select {', '.join(values)} from plain {' '.join(joins)}) order by {order}"
            connection.execute(f"copy ({rows}) to {database.literal(str(target))} (format parquet, compression zstd)")
            _verify(connection, contract, target)
    except duckdb.Error as error:
        target.unlink(missing_ok=True)
        # Only the type of the error: its message may quote a value.
        raise MaskError(
            f"{contract.id}: could not be masked: {type(error).__name__}; look at the mask of each column"
        ) from None
    except MaskError:
        target.unlink(missing_ok=True)
        raise
    finally:
        for path in lookups:
            path.unlink(missing_ok=True)


def _lookup(connection: "duckdb.DuckDBPyConnection", column: Column, path: Path, secret: bytes) -> None:
    """Write each distinct value of a column with its token, for a join; the caller deletes the file."""
    import polars as pl

    name = database.quoted(column.name)
    values = [
        value for (value,) in connection.execute(f"select distinct {name} from plain where {name} is not null").fetchall()
    ]
    tokens: list[str] | list[int] = [token(secret, str(value)) for value in values]
    if column.type == "bigint":
        tokens = [number(str(text)) for text in tokens]
    if len(set(tokens)) < len(tokens):
        raise MaskError(f"two values of '{column.name}' have the same token; make the column a varchar")
    kind = pl.Int64 if column.type == "bigint" else pl.String
    pl.DataFrame([pl.Series("value", values, kind), pl.Series("token", tokens, kind)]).write_parquet(path)


def _value(column: Column, value: str) -> str:
    """Return SQL for a dropped or generalised value."""
    assert column.mask is not None
    to, kind = column.mask.to, column.type
    if column.mask.kind == "drop":
        return f"null::{kind}"
    if kind == "timestamp with time zone":
        return f"date_trunc('{to}', {value} at time zone 'UTC') at time zone 'UTC'"
    if kind.startswith(("date", "timestamp")):
        return f"date_trunc('{to}', {value})::{kind}"
    if kind == "varchar":
        return f"left({value}, {to})"
    # Rounded down to the start of the bucket, negative values too; in integers, since large ones lose digits as floats.
    start = f"{value} - (({value} % {to}) + {to}) % {to}" if is_whole(kind) else f"floor({value} / {to}) * {to}"
    return f"({start})::{kind}"


def _verify(connection: "duckdb.DuckDBPyConnection", contract: Contract, written: Path) -> None:
    database.add_views(connection, {"written": [written]})
    problems = contract.schema_problems(database.column_types(connection, "written"))
    required = [column.name for column in contract.columns if column.required]
    counts = ", ".join(f"count({database.quoted(name)})" for name in required)
    written_rows, *filled = connection.execute(f"select count(*), {counts or '0'} from written").fetchone() or (0,)
    (rows,) = connection.execute("select count(*) from plain").fetchone() or (0,)
    problems += [f"{rows:,} rows became {written_rows:,}"] if written_rows != rows else []
    problems += [f"'{name}' is required and has nulls" for name, n in zip(required, filled, strict=False) if n != written_rows]
    if problems:
        raise MaskError(f"{contract.id}: masked, it would break its contract: {'; '.join(problems)}")
