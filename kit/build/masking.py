"""Masking before publication: values are replaced as contracts declare, with a key that only the environment contains."""

import hashlib
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
_BLOCK = hashlib.sha256().block_size


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


def tokens(secret: bytes, value: str) -> tuple[str, str]:
    """Return the texts of the tokens of a value: that of a text column, and that of a bigint column."""
    text = hmac.digest(secret, value.encode(), "sha256").hex()[:32]
    return text, str(int(text[:16], 16) >> 1)


def write(contract: Contract, source: Path, target: Path, secret: bytes | None) -> None:
    """Write the masked rows of one Parquet file to another one.

    Rows are sorted by their published values, since the original order could reveal which is which. Raises `MaskError`, and
    leaves no file, when the result lacks a column or a required value of the contract.
    """
    import duckdb

    try:
        with database.connect() as connection:
            database.add_views(connection, {"plain": [source]})
            values, joins = [], []
            for position, column in enumerate(contract.columns):
                name = database.quoted(column.name)
                value = f"plain.{name}"
                if column.mask and column.mask.kind == "hmac" and secret:
                    tokens = f"tokens{position}"
                    _make_tokens(connection, column, tokens, secret)
                    joins.append(f"left join {tokens} on {tokens}.value = {value}")
                    value = f"{tokens}.token"
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


def _make_tokens(connection: "duckdb.DuckDBPyConnection", column: Column, table: str, secret: bytes) -> None:
    """Make a temporary table of each distinct value of a column with its token, for a join.

    DuckDB computes the tokens, since the values of a large column do not fit into the memory of Python.
    """
    name = database.quoted(column.name)
    values = f"select distinct {name} as value from plain where {name} is not null"
    connection.execute(f"create temp table {table} as select value, {_token(column)} as token from ({values})", _pads(secret))
    if connection.execute(f"select 1 from {table} group by token having count(*) > 1 limit 1").fetchone():
        raise MaskError(f"two values of '{column.name}' have the same token; make the column a varchar")


def _token(column: Column) -> str:
    """Return SQL for the token of a value: HMAC-SHA256 of its text, which does not depend on the column's type.

    It has 32 hex digits; in a bigint column it is the first 63 bits.
    """
    digest = "sha256($outer || unhex(sha256($inner || encode(value::varchar))))"
    return f"(('0x' || left({digest}, 16))::ubigint >> 1)::bigint" if column.type == "bigint" else f"left({digest}, 32)"


def _pads(secret: bytes) -> dict[str, bytes]:
    """Return the two forms of a key with which HMAC-SHA256 begins its digests."""
    key = (hashlib.sha256(secret).digest() if len(secret) > _BLOCK else secret).ljust(_BLOCK, b"\0")
    return {"inner": bytes(byte ^ 0x36 for byte in key), "outer": bytes(byte ^ 0x5C for byte in key)}


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
