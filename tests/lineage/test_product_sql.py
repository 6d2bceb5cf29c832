import pytest

from kit.lineage import sql
from kit.lineage.product_sql import column_references, sql_references
from kit.lineage.sql_columns import ColumnReferences
from tests.support.small_mesh import SmallMesh, write


def columns(small: SmallMesh, product: str = "shop") -> dict[str, ColumnReferences | None]:
    references = column_references(small.context, small.product(product))
    return {text.name: read.columns for text, read in references.items()}


def test_every_text_has_its_tables(small: SmallMesh) -> None:
    small.replace("domains/shop/models/marts/totals.sql", "select", "{{ config(post_hook=\"copy sales to 'x'\") }}select")
    references = sql_references(small.config, small.product("shop"))
    assert {(text.kind, text.name): (read.tables, len(read.faults)) for text, read in references.items()} == {
        ("model", "sales"): (("raw.sales",), 0),
        ("model", "totals"): (("sales",), 0),
        ("hook", "totals"): ((), 1),
    }
    assert {text.kind for text in column_references(small.context, small.product("shop"))} == {"model"}


def test_columns_are_resolved_through_own_models_in_any_order(small: SmallMesh) -> None:
    write(small.domains / "shop/models/marts/a_first.sql", "select * from {{ ref('totals') }}")
    write(small.domains / "shop/tests/none.sql", "select item from {{ ref('a_first') }} where amount < 0")
    resolved = columns(small)
    assert resolved["a_first"] == ColumnReferences(
        {"item": (("totals", "item"),), "amount": (("totals", "amount"),)},
        frozenset({("totals", "item"), ("totals", "amount")}),
        {"item": ("copy",), "amount": ("copy",)},
    )
    assert resolved["none"] is not None
    assert resolved["none"].used == {("a_first", "item"), ("a_first", "amount")}


def test_models_that_read_each_other_have_no_columns(small: SmallMesh) -> None:
    write(small.domains / "shop/models/marts/a.sql", "select * from {{ ref('b') }}")
    write(small.domains / "shop/models/marts/b.sql", "select * from {{ ref('a') }}")
    assert {name: columns(small)[name] for name in ("a", "b")} == {"a": None, "b": None}


def test_a_seed_has_the_columns_of_its_header(small: SmallMesh) -> None:
    write(small.domains / "shop/seeds/rates.csv", "item,rate\ntea,1\n")
    write(small.domains / "shop/tests/none.sql", "select rate from {{ ref('rates') }}")
    read = columns(small)["none"]
    assert read is not None
    assert read.used == {("rates", "rate")}


def test_columns_of_a_broken_input_are_not_known(small: SmallMesh) -> None:
    small.dbt_reader("old", "amount", "1.0.0")
    assert columns(small, "old")["copy"] is not None
    (small.domains / "shop/contracts/totals.odcs.yaml").write_text("broken")
    assert columns(small, "old") == {"copy": None}


def test_only_a_changed_text_is_read_again(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    first = columns(small)
    read_sql, texts = sql.read_sql, []
    monkeypatch.setattr(sql, "read_sql", lambda text, **options: texts.append(text) or read_sql(text, **options))
    assert columns(small) == first
    assert texts == []
    small.replace("domains/shop/models/marts/totals.sql", "sum(", "max(")
    columns(small)
    assert {text.partition(" from ")[0] for text in texts} == {"select item, max(amount)::decimal(18,2) as amount"}
