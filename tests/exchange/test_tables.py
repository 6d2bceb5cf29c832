import json

import pytest

from kit.contracts.check import Check
from kit.core import database
from kit.exchange.tables import Tables
from tests.support.small_mesh import SmallMesh


def test_a_column_that_the_provider_hides_is_hidden_here_too(small: SmallMesh) -> None:
    file = small.domains / "shop/contracts/totals.odcs.yaml"
    data = json.loads(file.read_text())
    data["schema"][0]["properties"][1]["classification"] = "personal"
    file.write_text(json.dumps(data))
    assert "amount" in Tables(small.context, small.product("plan")).hidden


def test_origins_and_columns_of_models(small: SmallMesh) -> None:
    small.publish("shop")
    tables = Tables(small.context, small.product("shop"), small.store.current("shop"))
    assert tables.columns("shop.totals") == ("item", "amount")
    assert tables.origins_of("shop.totals") == {
        "item": (("shop.sales", "item"),), "amount": (("shop.sales", "amount"),),
    }  # fmt: skip
    assert tables.origins_of("shop.raw.sales") == {}
    sizes = {name: size and size.rows for name in ("shop.raw.sales", "shop.totals", "plan.forecast", "shop.none")
             for size in [tables.profile(name)]}  # fmt: skip
    assert sizes == {"shop.raw.sales": 30, "shop.totals": 2, "plan.forecast": None, "shop.none": None}


def test_checks_by_table_and_kind(small: SmallMesh) -> None:
    checks = [
        Check("totals", "amount is required", "contract", True, observed="0 of 2 rows break it"),
        Check("raw.sales", "has the contract's 4 columns and types", "contract", True),
        Check("totals", "unit test adds", "dbt", True),
        Check("sales", 'item: accepted_values {"values": ["tea"]}', "dbt", False, "warning", "2 rows", 2, note="why"),
        Check("sales", "no_gaps", "dbt", True),
    ]
    found = Tables(small.context, small.product("shop")).results(checks)
    assert [(item.table, item.name, item.kind, item.columns) for item in found] == [
        ("shop.totals", "amount is required", "expect_column_values_to_not_be_null", ("amount",)),
        ("shop.raw.sales", "has the contract's 4 columns and types", "custom", ()),
        ("shop.totals", "unit test adds", "unit_test", ()),
        ("shop.sales", "item: accepted_values", "accepted_values", ("item",)),
        ("shop.sales", "no_gaps", "custom_sql", ()),
    ]
    assert (found[3].severity, found[3].observed, found[3].failing_rows, found[3].description) == (
        "warning",
        "2 rows",
        2,
        "why",
    )


def test_a_check_of_an_input_is_one_of_its_provider(small: SmallMesh) -> None:
    (found,) = Tables(small.context, small.product("plan")).results([Check("shop.totals", "fresh", "dbt", True)])
    assert found.table == "shop.totals"


def test_all_profiles_are_read_through_one_connection(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.publish("shop")
    opened: list[bool] = []
    connect = database.connect
    monkeypatch.setattr(database, "connect", lambda *path: opened.append(True) or connect(*path))
    tables = Tables(small.context, small.product("shop"), small.store.current("shop"))
    assert [tables.profile(name) is not None for name in ("shop.raw.sales", "shop.sales", "shop.totals")] == [True] * 3
    assert Tables(small.context, small.product("shop")).profile("shop.sales") is None
    assert opened == [True]
