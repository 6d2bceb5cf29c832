"""Daily sales as other tools judge them by the committed contract and suite: datacontract-cli and plain Great Expectations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kit.core import Config, read_yaml
from kit.mesh import Mesh
from kit.quality import AuditTarget
from kit.quality.audit import audit
from tests.support.judging import ask, failed, needs_judge
from tests.support.plain_expectations import plain_verdicts

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
ORDERS = Mesh.load(ROOT / "domains").product("orders")
CONTRACT = next(port.contract for port in ORDERS.ports if port.name == "daily_sales")

# What is done to the published daily sales, and what must be seen of it.
SABOTAGE: dict[str, tuple[str, list[str]]] = {
    "a department gone": (
        "select * replace (nullif(department, 'FLORAL') as department) from given",
        ["Check that field department has no missing values"],
    ),
    "a day sent twice": (
        "from given union all (from given where business_date = '2017-05-01')",
        ["Check that primary key (business_date, department) has no duplicate values"],
    ),
    "a sale below zero": (
        "select * replace (if(sales_value = max(sales_value) over (), -0.01, sales_value)::decimal(14,2) as sales_value) "
        "from given",
        ["Check that field sales_value has a minimum of 0"],
    ),
    "numbers as text": (
        "select * replace (lines::varchar as lines) from given",
        [
            "Check that field lines has type integer",
            "Check that field lines has a minimum of 1",
            "A household has at least one basket and a basket at least one line.",
        ],
    ),
    "a week less": (
        "from given where week(business_date) <> 20",
        ["Every day between the first and the last has sales; the stores close for Christmas only."],
    ),
    "a column less": (
        "select * exclude (quantity) from given",
        [
            "Check that field 'quantity' is present",
            "Check that field quantity has type integer",
            "Check that field quantity has no missing values",
            "Check that field quantity has a minimum of 0",
        ],
    ),
}

# The rules that each sabotage breaks; others change columns, which a suite does not judge.
BROKEN = {
    "a department gone": ["department is required"],
    "a day sent twice": ["business_date, department together are unique"],
    "a sale below zero": ["sales_value is between 0 and 100000"],
    "a week less": ["no_day_missing: its query gives <= 1"],
}


@pytest.fixture(scope="module")
def spoilt(port: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The daily sales after each sabotage."""
    folder, given = tmp_path_factory.mktemp("spoilt"), duckdb.sql(f"from {port('orders.daily_sales')}")
    paths = {name: folder / f"{position}.parquet" for position, name in enumerate(SABOTAGE)}
    for name, path in paths.items():
        given.query("given", SABOTAGE[name][0]).write_parquet(str(path))
    return paths


@pytest.fixture(scope="module")
def answer(spoilt: dict[str, Path]) -> Any:
    contract = read_yaml(CONTRACT.path).data
    return ask({
        "tables": {f"spoilt_{position}.daily_sales": [str(path)] for position, path in enumerate(spoilt.values())},
        "test": {name: (f"spoilt_{position}", contract) for position, name in enumerate(spoilt)},
    })  # fmt: skip


@needs_judge
@pytest.mark.parametrize("name", SABOTAGE)
def test_a_sabotaged_copy_is_found_out(answer: Any, name: str) -> None:
    assert failed(answer, name) == SABOTAGE[name][1]


def test_plain_great_expectations_judges_rows_by_the_committed_suite_as_a_build_does(
    spoilt: dict[str, Path], tmp_path: Path
) -> None:
    suite, clock = ORDERS.folder / "expectations/daily_sales.json", Config.load(ROOT, {}).clock()
    paths = {name: spoilt[name] for name in BROKEN}
    found = plain_verdicts({name: (suite, "daily_sales", {"daily_sales": [path]}) for name, path in paths.items()}, tmp_path)
    for name, path in paths.items():
        checks = audit([AuditTarget("daily_sales", CONTRACT)], {"daily_sales": [path]}, clock)
        passed = {check.rule: check.passed for check in checks}
        assert found[name] == {rule.name: passed[rule.name] for rule in CONTRACT.rules}
    assert {name: [rule for rule, passed in rules.items() if not passed] for name, rules in found.items()} == BROKEN
