import pytest

from kit.lineage.columns import column_lineage, column_use
from tests.support.small_mesh import FORECAST, SmallMesh, write


def test_columns_of_models_are_followed_to_raw_data(small: SmallMesh) -> None:
    assert column_lineage(small.context) == {
        "shop.sales.sale_id": ("shop.raw.sales.sale_id",),
        "shop.sales.item": ("shop.raw.sales.item",),
        "shop.sales.amount": ("shop.raw.sales.amount",),
        "shop.sales.sold_on": ("shop.raw.sales.sold_on",),
        "shop.totals.item": ("shop.sales.item",),
        "shop.totals.amount": ("shop.sales.amount",),
    }


def test_a_notebook_uses_the_columns_it_names(small: SmallMesh) -> None:
    assert column_use(small.context) == {
        "shop.sales": {}, "shop.totals": {"plan": frozenset({"item", "amount"})}, "plan.forecast": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("totals.select('item')", {"item"}),
        ("totals['amount']", {"amount"}),
        ("totals.filter(item='tea')", {"item"}),
        ("totals.to_pandas().amount", {"amount"}),
        ("totals.sql('select sum(amount) from self')", {"amount"}),
        ("[totals[f'{part}ount'] for part in ['am']]", {"amount"}),
        ("%%sql\nselect AMOUNT from totals", {"amount"}),
        ("print(totals)", None),
        ("totals.select('item'", None),
    ],
)
def test_how_a_notebook_names_columns(small: SmallMesh, cell: str, expected: set[str] | None) -> None:
    small.notebook("plan", "forecast", [FORECAST[1], cell])
    assert column_use(small.context)["shop.totals"] == {"plan": expected}


def test_an_older_version_is_used_under_the_name_of_the_newer_one(small: SmallMesh) -> None:
    small.two_majors()
    small.dbt_reader("old", "amount", "1.0.0")
    found = column_use(small.context)
    assert {port: readers["old"] for port, readers in found.items() if "old" in readers} == {
        "shop.totals_v1": frozenset({"item", "amount"})
    }


def test_a_test_uses_columns_too(small: SmallMesh) -> None:
    small.dbt_reader("old", "amount", "1.0.0")
    write(small.domains / "old/tests/none.sql", "select 1 as x from {{ source('shop', 'totals') }} where item is null")
    assert column_use(small.context)["shop.totals"]["old"] == {"item", "amount"}


def test_what_cannot_be_understood_uses_all(small: SmallMesh) -> None:
    small.dbt_reader("old", "amount", "1.0.0")
    write(small.domains / "old/tests/none.sql", "select item frm {{ source('shop', 'totals') }}")
    assert column_use(small.context)["shop.totals"]["old"] is None
