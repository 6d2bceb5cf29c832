import json
from pathlib import Path
from typing import Any

import pytest

from kit.contracts.contract import Contract
from kit.contracts.rules import Rule
from kit.core import database
from kit.core.errors import InvalidFile
from tests.support.small_mesh import contract, write


def things(folder: Path, column: list[Any] = (), table: list[Any] = (), **more: Any) -> Contract:  # type: ignore[assignment]
    columns: list[Any] = [("id", "bigint", {"relationships": list(column)}), ("kind", "varchar", {})]
    data = json.loads(contract("shop.things", "things", columns))
    data["schema"][0]["relationships"] = list(table)
    write(folder / "things.odcs.yaml", json.dumps({**data, **more}))
    return Contract.load(folder / "things.odcs.yaml")


def quick(rule: Rule) -> tuple[str, str, tuple[str, ...], str, bool]:
    return rule.name, rule.assertion.expectation, rule.assertion.columns, rule.severity, rule.quarantines


def test_relationships_are_rules(tmp_path: Path) -> None:
    both = {"from": ["things.id", "things.kind"], "to": ["raw.all.id", "raw.all.type"], "type": "foreignKey"}
    warn = {"to": ["crm.kinds.kind"], "customProperties": [{"property": "onFailure", "value": "warn"}]}
    aside = {
        "from": "things.kind",
        "to": "crm.kinds.kind",
        "customProperties": [{"property": "onFailure", "value": "quarantine"}],
    }
    limit = [{"property": "quarantineLimit", "value": 0.5}]
    promise = things(tmp_path, [{"to": "crm.customers.id"}, warn], [both, aside], customProperties=limit)
    assert [quick(rule) for rule in promise.rules] == [
        ("id is in crm.customers.id", "unexpected_rows_expectation", ("id",), "error", False),
        ("id is in crm.kinds.kind", "unexpected_rows_expectation", ("id",), "warning", False),
        ("id, kind together are in raw.all (id, type)", "unexpected_rows_expectation", ("id", "kind"), "error", False),
        ("kind is in crm.kinds.kind", "unexpected_rows_expectation", ("kind",), "error", True),
    ]  # fmt: skip


def test_orphans_are_rows_that_refer_to_nothing_but_nulls(tmp_path: Path) -> None:
    both = {"from": ["things.id", "things.kind"], "to": ["crm.all.id", "crm.all.kind"]}
    (rule,) = things(tmp_path, [], [both]).rules
    assert rule.foreign_key is not None
    with database.connect() as connection:
        connection.execute(
            "create schema crm; create table crm.all as from (values (1, 'a'), (2, 'b'), (null, 'c')) t(id, kind)"
        )
        connection.execute(
            "create table things as from (values (1, 'a'), (1, 'b'), (3, 'c'), (null, 'c'), (3, null)) t(id, kind)"
        )
        found = connection.execute(rule.foreign_key.orphans.sql("things") + " order by all").fetchall()
    assert found == [(1, "b"), (3, "c")]


def test_a_port_of_the_same_product_goes_by_its_short_name(tmp_path: Path) -> None:
    rules = things(tmp_path, [{"to": f"{table}.id"} for table in ("shop.all", "crm.all", "raw.all")]).rules
    assert [rule.foreign_key and rule.foreign_key.relation for rule in rules] == ['"all"', '"crm"."all"', '"raw"."all"']


@pytest.mark.parametrize(
    ("column", "table", "problem"),
    [
        ([{"to": "customers.id"}], [], "properties.0.relationships.0.to: 'customers.id' is no column of a table; write "
         "PRODUCT.PORT.COLUMN or raw.SOURCE.COLUMN"),
        ([{"to": "schema/customers/properties/id"}], [], "properties.0.relationships.0.to: 'schema/customers/properties/id' is "
         "no column of a table; write PRODUCT.PORT.COLUMN or raw.SOURCE.COLUMN"),
        ([{"to": ["a.b.c", "a.b.d"]}], [], "properties.0.relationships.0.to: has 2 columns for 1; write one for each of id"),
        ([], [{"from": ["things.id", "things.kind"], "to": ["a.b.id", "a.c.kind"]}], "relationships.0.to: refers to a.b and "
         "a.c; all columns must be of one table"),
        ([], [{"from": "things.no", "to": "a.b.id"}], "relationships.0.from: 'things.no' is no column of 'things'; write "
         "things.COLUMN with one of: id, kind"),
    ],
)  # fmt: skip
def test_a_relationship_that_says_nothing_is_refused(tmp_path: Path, column: list[Any], table: list[Any], problem: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        things(tmp_path, column, table)
    assert str(caught.value).partition(": schema.0.")[2] == problem
