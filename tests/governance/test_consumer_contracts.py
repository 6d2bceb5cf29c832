import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.governance.diff import diff
from tests.support.small_mesh import SmallMesh, valid

KEY = {"primaryKey": True, "primaryKeyPosition": 1}
AMOUNT = "decimal(18,2)"
Columns = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)


def lacking(small: SmallMesh, columns: Columns, quality: list[dict[str, Any]] = ()) -> list[tuple[str, str]]:
    small.need(columns, quality)
    port = small.mesh.port("shop.totals")
    return [(change.where, change.text) for change in port.needs[0].unmet(port.contract)]


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
            [("column amount", "without rule: amount is at most 9")],
        ),
        (
            ("item", "varchar", {"quality": [valid("tea", "cake")]}),
            [("column item", "without rule: known values: item is one of 2 values")],
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


def test_who_says_nothing_of_a_mask_means_the_one_there_is(small: SmallMesh) -> None:
    small.mask("shop/contracts/totals.odcs.yaml", item="hmac")
    assert lacking(small, [("item", "varchar", {})]) == []


MOST = {"logicalTypeOptions": {"maximum": 100}}


@pytest.mark.parametrize(
    ("needed", "old", "new", "hit"),
    [
        # Columns.
        (("item", {}), '"name": "amount"', '"name": "value"', ()),
        (("amount", {}), '"name": "amount"', '"name": "value"', ("amount",)),
        # Rules: the one stated, as far as it is stated.
        (("amount", {}), '"maximum": 100', '"maximum": 200', ()),
        (("amount", {"required": True}), '"maximum": 100', '"maximum": 200', ()),
        (("amount", {"logicalTypeOptions": {"maximum": 300}}), '"maximum": 100', '"maximum": 200', ()),
        (("amount", {"logicalTypeOptions": {"maximum": 150}}), '"maximum": 100', '"maximum": 200', ("amount",)),
        # What was not promised before is not lost by it.
        (("gone", {}), '"maximum": 100', '"maximum": 200', ()),
        # Service levels: the need states a frequency too.
        (("item", {}), '"value": 1, "unit": "d"', '"value": 2, "unit": "d"', ("item",)),
        (("item", {}), '"description": "the item",', '"description": "the item", "classification": "personal",', ("item",)),
        (("amount", {}), '"description": "the item",', '"description": "the item", "classification": "personal",', ()),
    ],
)
def test_a_change_hits_only_the_columns_and_rules_that_are_stated(
    small: SmallMesh, tmp_path: Path, needed: tuple[str, dict[str, Any]], old: str, new: str, hit: tuple[str, ...]
) -> None:
    file = "domains/shop/contracts/totals.odcs.yaml"
    text = (small.root / file).read_text().replace('"value": 1,\n   "unit": "d"', '"value": 1, "unit": "d"')
    (small.root / file).write_text(text)
    small.replace(file, '"description": "the amount"', f'"description": "the amount", {json.dumps(MOST)[1:-1]}')
    small.need([(needed[0], AMOUNT if needed[0] == "amount" else "varchar", needed[1])])
    shutil.copytree(small.domains, tmp_path / "new/domains")
    contract = tmp_path / "new" / file
    assert old in contract.read_text()
    contract.write_text(contract.read_text().replace(old, new))
    (product,) = diff(small.config, replace(small.config, root=tmp_path / "new"))
    assert [(consumer.columns, consumer.affected) for consumer in product.ports[0].consumers] == [(hit, bool(hit))]
    # Whoever it hits, the version must say it.
    assert bool(product.problems) or product.reviews
