"""Masking at publish: values are replaced as contracts say, under a key that only the environment holds."""

import hmac
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kit.contracts import Column, Contract, is_whole
from kit.core import MASK_KEY, Config, MaskError, database
from kit.mesh import DataProduct

if TYPE_CHECKING:
    import duckdb

SHORTEST_KEY = 16
"""Characters; a shorter key could be found by trying."""


def _contracts(product: DataProduct) -> list[Contract]:
    return [source.contract for source in product.sources] + [port.contract for port in product.ports]


def key(config: Config, product: DataProduct) -> bytes | None:
    """The key a product's tokens are made with, None when it makes none; raises `MaskError` when it is missing or short."""
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
    """What tells one key from another without telling the key."""
    return hmac.digest(secret, b"fingerprint of the key", "sha256").hex()[:16]


@contextmanager
def mask_key_hidden() -> Iterator[None]:
    """Keep the key from the code of domains: with it tokens could be traced back by trying values."""
    held = os.environ.pop(MASK_KEY, None)
    try:
        yield
    finally:
        if held is not None:
            os.environ[MASK_KEY] = held


def token(secret: bytes, value: str) -> str:
    """The token of a value, 32 hex digits; it depends on the value's text alone, whatever the column's type."""
    return hmac.digest(secret, value.encode(), "sha256").hex()[:32]


def number(token: str) -> int:
    """A token where the column is a bigint: its first 63 bits."""
    return int(token[:16], 16) >> 1


def write(contract: Contract, source: Path, target: Path, secret: bytes | None) -> None:
    """Write the masked rows of one Parquet file to another one.

    Rows are put in the order of their published values, since that of the real ones would tell which is which. What was
    written must still have the contract's columns and every required value, or `MaskError` is raised and nothing is left.
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
                    found = f"read_parquet({database.literal(str(lookup))}) as l{position}"
                    joins.append(f"left join {found} on l{position}.value = {value}")
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
        # Only its kind: the message may quote a value.
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
    """Write each distinct value of a column with its token, for a join; beside the values themselves, and not for long."""
    import polars as pl

    name = database.quoted(column.name)
    found = connection.execute(f"select distinct {name} from plain where {name} is not null").fetchall()
    tokens: list[str] | list[int] = [token(secret, str(value)) for (value,) in found]
    if column.type == "bigint":
        tokens = [number(str(text)) for text in tokens]
    if len(set(tokens)) < len(tokens):
        raise MaskError(f"two values of '{column.name}' have the same token; make the column a varchar")
    kind = pl.Int64 if column.type == "bigint" else pl.String
    values = pl.Series("value", [value for (value,) in found], kind)
    pl.DataFrame([values, pl.Series("token", tokens, kind)]).write_parquet(path)


def _value(column: Column, value: str) -> str:
    """SQL for a dropped or generalised value."""
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
    # Down to the start of the bucket, below zero too; in whole numbers, where large ones would lose digits as floats.
    start = f"{value} - (({value} % {to}) + {to}) % {to}" if is_whole(kind) else f"floor({value} / {to}) * {to}"
    return f"({start})::{kind}"


def _verify(connection: "duckdb.DuckDBPyConnection", contract: Contract, written: Path) -> None:
    database.add_views(connection, {"written": [written]})
    problems = contract.schema_problems(database.column_types(connection, "written"))
    required = [column.name for column in contract.columns if column.required]
    counts = ", ".join(f"count({database.quoted(name)})" for name in required)
    found = connection.execute(f"select count(*), {counts or '0'} from written").fetchone() or (0,)
    (rows,) = connection.execute("select count(*) from plain").fetchone() or (0,)
    problems += [f"{rows:,} rows became {found[0]:,}"] if found[0] != rows else []
    problems += [f"'{name}' is required and has nulls" for name, n in zip(required, found[1:], strict=False) if n != found[0]]
    if problems:
        raise MaskError(f"{contract.id}: masked, it would break its contract: {'; '.join(problems)}")
