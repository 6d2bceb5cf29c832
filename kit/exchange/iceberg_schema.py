"""The Iceberg schema of a published table, and the changes that lead to it from the schema before."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kit.contracts import Contract
from kit.core import KitError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.schema import Schema
    from pyiceberg.table import Transaction
    from pyiceberg.types import NestedField

_NO_TYPE = "Iceberg has no type for it; publish it as bigint, decimal or varchar"


def iceberg_schema(file: Path, contract: Contract | None) -> "Schema":
    """Return the schema of a published Parquet file, with the comments, required columns and key of its contract.

    The types are those of the file, see https://iceberg.apache.org/spec/#schemas-and-data-types. Raises `KitError` for a
    column that Iceberg cannot hold as it is.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids
    from pyiceberg.schema import Schema, assign_fresh_schema_ids
    from pyiceberg.types import DoubleType, FloatType, NestedField, PrimitiveType

    arrow = pq.read_schema(file)
    fields = []
    for number, column in enumerate(arrow, 1):
        try:
            (plain,) = _pyarrow_to_schema_without_ids(pa.schema([column.with_type(_readable(column.type))])).fields
        except (TypeError, ValueError):
            plain = None
        # PyIceberg would take unsigned integers for signed ones of the same width.
        if plain is None or any(str(part) in ("uint32", "uint64") for part in _parts(column.type)):
            raise KitError(f"the column '{column.name}' is {column.type}; {_NO_TYPE}")
        fields.append(NestedField(number, column.name, plain.field_type, required=False))
    if contract:
        promised = {column.name: column for column in contract.columns}
        fields = [
            NestedField(
                field.field_id, field.name, field.field_type, required=promised[field.name].required,
                doc=promised[field.name].description or None,
            )
            for field in fields
        ]  # fmt: skip
    key = [field for field in fields if contract and field.name in contract.key]
    # A key consists of required columns, and of none with floating-point numbers.
    usable = all(isinstance(field.field_type, PrimitiveType) for field in key) and not any(
        isinstance(field.field_type, FloatType | DoubleType) for field in key
    )
    return assign_fresh_schema_ids(Schema(*fields, identifier_field_ids=[field.field_id for field in key] if usable else []))


def continues(schemas: "Sequence[Schema]", wanted: "Schema") -> bool:
    """Return whether older snapshots can still be read once a table has the schema `wanted`.

    The published files name their columns and do not number them. A name therefore has one number for the whole history
    of the table, and a type that holds the values of all types before.
    """
    from pyiceberg.exceptions import ResolveError
    from pyiceberg.schema import promote

    current = schemas[-1]
    for field in wanted.fields:
        before = _named(current, field.name)
        if before is None:
            if any(_named(schema, field.name) for schema in schemas):  # it was taken out, and has come back
                return False
            continue
        if before.field_type == field.field_type:
            continue
        if before.field_type.is_primitive and field.field_type.is_primitive:
            try:
                promote(before.field_type, field.field_type)
            except ResolveError:
                return False
            if getattr(before.field_type, "scale", None) != getattr(field.field_type, "scale", None):
                return False
        elif _shape(before) != _shape(field):
            return False
    return True


def evolve(transaction: "Transaction", wanted: "Schema") -> None:
    """Change the schema of a table to `wanted`, which continues it: columns keep their numbers by name."""
    current = transaction.table_metadata.schema()
    with transaction.update_schema(allow_incompatible_changes=True) as update:
        for field in current.fields:
            if _named(wanted, field.name) is None:
                update.delete_column(field.name)
        for field in wanted.fields:
            before = _named(current, field.name)
            if before is None:
                update.add_column(field.name, field.field_type, field.doc)
            elif (before.field_type, before.required, before.doc) != (field.field_type, field.required, field.doc):
                kind = field.field_type if field.field_type.is_primitive else None
                update.update_column(field.name, kind, required=field.required, doc=field.doc or "")
        update.set_identifier_fields(*wanted.identifier_field_names())


def _shape(field: "NestedField") -> str:
    """A type as text, without the numbers of its fields."""
    return re.sub(r"\d+: ", "", str(field.field_type))


def _named(schema: "Schema", name: str) -> "NestedField | None":
    return next((field for field in schema.fields if field.name == name), None)


def _readable(kind: "pa.DataType") -> "pa.DataType":
    """Return a type in which JSON, also in lists, is text, which Iceberg has a type for and its readers take."""
    import pyarrow as pa

    if isinstance(kind, pa.JsonType):
        return pa.string()
    return pa.list_(_readable(kind.value_type)) if pa.types.is_list(kind) else kind


def _parts(kind: "pa.DataType") -> "Iterator[pa.DataType]":
    """Yield a type and those of its elements and fields."""
    yield kind
    for number in range(kind.num_fields):
        yield from _parts(kind.field(number).type)
