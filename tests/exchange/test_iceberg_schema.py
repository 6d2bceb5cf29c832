from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import DecimalType, IntegerType, ListType, LongType, NestedField, StringType

from kit.core.errors import KitError
from kit.exchange.iceberg_schema import continues, iceberg_schema


def schema(**types: Any) -> Schema:
    return Schema(*(NestedField(number, name, kind, required=False) for number, (name, kind) in enumerate(types.items(), 1)))


@pytest.mark.parametrize(
    ("before", "after", "continued"),
    [
        ({"a": IntegerType()}, {"a": IntegerType()}, True),
        ({"a": IntegerType()}, {"a": LongType()}, True),
        ({"a": LongType()}, {"a": IntegerType()}, False),
        ({"a": LongType()}, {"a": StringType()}, False),
        ({"a": DecimalType(9, 2)}, {"a": DecimalType(18, 2)}, True),
        ({"a": DecimalType(9, 2)}, {"a": DecimalType(18, 3)}, False),
        ({"a": LongType()}, {"a": LongType(), "b": StringType()}, True),
        ({"a": LongType(), "b": StringType()}, {"a": LongType()}, True),
        ({"a": ListType(2, LongType(), False)}, {"a": ListType(9, LongType(), False)}, True),
        ({"a": ListType(2, LongType(), False)}, {"a": ListType(2, StringType(), False)}, False),
        ({"a": LongType()}, {"a": ListType(2, LongType(), False)}, False),
    ],
)
def test_older_snapshots_stay_readable_where_types_hold_their_values(
    before: dict[str, Any], after: dict[str, Any], continued: bool
) -> None:
    assert continues([schema(**before)], schema(**after)) is continued


def test_a_column_that_comes_back_is_another_column() -> None:
    kinds = {"a": LongType(), "b": StringType()}
    assert not continues([schema(**kinds), schema(a=LongType())], schema(**kinds))


@pytest.mark.parametrize("kind", [pa.uint32(), pa.uint64(), pa.list_(pa.uint64())])
def test_an_unsigned_integer_is_refused_by_name(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "a.parquet"
    values: list[Any] = [[1]] if pa.types.is_list(kind) else [1]
    pq.write_table(pa.table({"n": pa.array(values, kind)}), path)
    with pytest.raises(KitError, match=r"the column 'n' is .*; Iceberg has no type for it"):
        iceberg_schema(path, None)


def test_json_is_text(tmp_path: Path) -> None:
    duckdb.sql(f"copy (select '{{}}'::json as j, ['1'::json] as js) to '{tmp_path / 'a.parquet'}' (format parquet)")
    found = iceberg_schema(tmp_path / "a.parquet", None)
    assert [str(field.field_type) for field in found.fields] == ["string", "list<string>"]


def test_small_unsigned_integers_are_integers(tmp_path: Path) -> None:
    pl.DataFrame({"n": [200]}, schema={"n": pl.UInt8}).write_parquet(tmp_path / "a.parquet")
    assert str(iceberg_schema(tmp_path / "a.parquet", None).find_field("n").field_type) == "int"
