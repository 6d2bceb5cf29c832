from pathlib import Path
from typing import Any

import pytest

from kit.lint import problems as lint
from kit.unmet import problems, unmet, wanted
from tests.small_mesh import SmallMesh, valid

KEY = {"primaryKey": True, "primaryKeyPosition": 1}
AMOUNT = "decimal(18,2)"
Columns = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)


def lacking(small: SmallMesh, columns: Columns, quality: list[dict[str, Any]] = ()) -> list[tuple[str, str]]:
    small.need(columns, quality)
    port = small.mesh.port("shop.totals")
    return [(change.where, change.text) for change in unmet(port.needs[0], port.contract)]


@pytest.mark.parametrize(
    "columns",
    [
        [("amount", AMOUNT, {})],
        [("amount", AMOUNT, {"required": True})],
        [("item", "varchar", {"required": True, "unique": True})],
        [("item", "varchar", KEY), ("amount", AMOUNT, {"required": True})],
        # A rule that only warns is a wish, whatever the contract says.
        [("item", "varchar", {"quality": [{**valid("tea"), "severity": "warning"}]})],
    ],
)
def test_what_is_promised_is_met(small: SmallMesh, columns: Columns) -> None:
    assert lacking(small, columns) == []


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (("sold_on", "date", {}), [("column sold_on", "dropped")]),
        (("amount", "double", {}), [("column amount", "type double → decimal(18,2)")]),
        (("amount", AMOUNT, KEY), [("key", "amount → item")]),
        (
            ("amount", AMOUNT, {"logicalTypeOptions": {"maximum": 9}}),
            [("column amount", "no longer promised: amount is at most 9")],
        ),
        (
            ("item", "varchar", {"quality": [valid("tea", "cake")]}),
            [("column item", "no longer promised: known values: item is one of 2 values")],
        ),
    ],
)
def test_what_is_not_promised_is_named(
    small: SmallMesh, column: tuple[str, str, dict[str, Any]], expected: list[tuple[str, str]]
) -> None:
    assert lacking(small, [column]) == expected


def test_a_range_may_be_narrower_than_needed_never_wider(small: SmallMesh) -> None:
    promised = '"required": true, "logicalTypeOptions": {"minimum": 0, "maximum": 100}'
    file = "domains/shop/contracts/totals.odcs.yaml"
    small.replace(file, '"description": "the amount",\n     "required": true', f'"description": "the amount",\n     {promised}')
    assert lacking(small, [("amount", AMOUNT, {"logicalTypeOptions": {"maximum": 200}})]) == []
    assert lacking(small, [("amount", AMOUNT, {"logicalTypeOptions": {"maximum": 50}})]) == [
        ("column amount", "amount is at most 50 → amount is between 0 and 100")
    ]


def test_the_provider_is_told_who_needs_more(small: SmallMesh) -> None:
    small.need([("amount", AMOUNT, {}), ("sold_on", "date", {})])
    message = (
        "domains/shop/contracts/totals.odcs.yaml: promises less than 'plan' needs: column sold_on: dropped; promise it, or "
        "agree with plan owner (o@example.com) on domains/plan/consumes/shop.totals.odcs.yaml"
    )
    assert list(problems(small.mesh)) == [("shop", message)]
    assert lint(small.config, small.mesh) == [("shop", message)]


def test_only_a_change_that_hits_a_need_is_a_problem(small: SmallMesh) -> None:
    small.need([("item", "varchar", {"required": True})])
    contract = Path("domains/shop/contracts/totals.odcs.yaml")
    small.replace(str(contract), '"name": "amount"', '"name": "value"')
    assert list(problems(small.mesh)) == []
    small.replace(str(contract), '"name": "item"', '"name": "good"')
    assert [message.partition("needs: ")[2].partition(";")[0] for _, message in problems(small.mesh)] == [
        "column item: renamed to good"
    ]


def test_a_need_of_nothing_that_is_read_belongs_to_nothing(small: SmallMesh) -> None:
    path = small.need([("amount", AMOUNT, {})])
    path.rename(path.with_name("shop.sales.odcs.yaml"))
    assert lint(small.config, small.mesh) == [
        (
            "plan",
            "domains/plan/consumes/shop.sales.odcs.yaml: belongs to nothing in product.odps.yaml; declare it there or "
            "delete the file",
        )
    ]


def test_who_states_nothing_needs_what_it_uses(small: SmallMesh) -> None:
    small.need([("amount", AMOUNT, {})])
    used = {"plan": None, "old": frozenset({"item"}), "new": None}
    assert wanted(small.mesh.port("shop.totals"), used) == {
        "plan": frozenset({"amount"}), "old": frozenset({"item"}), "new": None,
    }  # fmt: skip
