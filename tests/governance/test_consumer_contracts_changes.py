import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.contracts.compatibility import ContractChange
from kit.core.config import Config
from kit.governance.diff import ProductDiff, diff
from tests.support.small_mesh import SmallMesh

AMOUNT = ("amount", "decimal(18,2)", {})
ITEM = ("item", "varchar", {})


@pytest.fixture
def then(small: SmallMesh, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The small mesh as it was before a test changes it, with a need of one column."""
    small.need([AMOUNT])
    root = tmp_path_factory.mktemp("then")
    shutil.copytree(small.domains, root / "domains")
    return replace(small.config, root=root)


def shown(found: tuple[ProductDiff, ...]) -> list[str]:
    (product,) = found
    (port,) = product.ports
    assert (product.problems, port.port, port.changes, port.consumers) == ((), "shop.totals", (), ())
    assert port.old == port.new == port.required
    assert {(change.where, change.verdict) for change in port.needs} == {("need of plan", "patch")}
    return [change.text for change in port.needs]


@pytest.mark.parametrize(
    ("columns", "texts"),
    [
        ([AMOUNT, ITEM], ["needs more: column item added, varchar"]),
        ([ITEM], ["needs less: column amount dropped", "needs more: column item added, varchar"]),
        ([("amount", "decimal(18,2)", {"required": True})], ["needs more: column amount new rule: amount is required"]),
    ],
)
def test_what_is_stated_otherwise_is_said(small: SmallMesh, then: Config, columns: list[Any], texts: list[str]) -> None:
    path = small.need(columns)
    assert shown(diff(then, small.config)) == texts
    other = replace(small.config, root=then.root)
    assert shown(diff(small.config, other))[0].startswith("needs ")
    assert path.is_file()


def test_a_need_comes_and_goes(small: SmallMesh, then: Config) -> None:
    path = small.domains / "plan/consumes/shop.totals.odcs.yaml"
    text = path.read_text()
    path.unlink()
    assert shown(diff(then, small.config)) == ["no longer stated"]
    assert shown(diff(small.config, then)) == ["stated: amount"]
    path.write_text("[")
    assert shown(diff(then, small.config)) == ["cannot be read; `kit check` shows the reason"]
    path.write_text(text)
    assert diff(then, small.config) == ()


def test_the_change_of_a_need_stands_beside_those_of_the_contract(small: SmallMesh, then: Config) -> None:
    small.need([AMOUNT, ITEM])
    small.replace("domains/shop/contracts/totals.odcs.yaml", "the amount", "what was paid")
    (product,) = diff(then, small.config)
    (port,) = product.ports
    assert port.changes == (ContractChange("column amount", "description changed", "patch", frozenset({"amount"})),)
    assert product.to_json()["ports"][0]["needs"] == [
        {
            "where": "need of plan", "text": "needs more: column item added, varchar", "verdict": "patch", "columns": None,
        }
    ]  # fmt: skip


def test_a_need_of_a_port_that_is_not_there_is_left_to_check(small: SmallMesh, then: Config, tmp_path: Path) -> None:
    path = small.domains / "plan/consumes/shop.totals.odcs.yaml"
    shutil.copy(path, path.with_name("shop.gone.odcs.yaml"))
    assert diff(then, small.config) == ()
