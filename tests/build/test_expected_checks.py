from datetime import datetime
from typing import Any

import pytest

from kit.build.expected_checks import ExpectedCheck, expected_checks
from kit.dbt.project import Project
from kit.mesh.product import DataProduct
from tests.support.small_mesh import SmallMesh

COLUMNS = "Columns and types are exactly those of the contract."


def promised(small: SmallMesh, name: str) -> list[ExpectedCheck]:
    product = small.product(name)
    return list(expected_checks(product, Project.read(product.folder), small.config.clock()))


def told(items: Any) -> list[tuple[str, str, str, str]]:
    return sorted((item.table, item.rule, item.origin, item.severity) for item in items)


def test_what_is_promised_of_a_product(small: SmallMesh) -> None:
    product: DataProduct = small.product("plan")
    assert expected_checks(product, Project((), ()), datetime(2024, 1, 10)) == (
        ExpectedCheck("forecast", "has the contract's 2 columns and types", "contract", "error", COLUMNS),
        ExpectedCheck("forecast", "item is required", "contract", "error", ""),
        ExpectedCheck("forecast", "item is unique", "contract", "error", ""),
        ExpectedCheck("forecast", "amount is required", "contract", "error", ""),
        ExpectedCheck("forecast", "amount is at least 0", "contract", "error", ""),
        ExpectedCheck("forecast", "amount is finite", "contract", "error", ""),
    )  # fmt: skip


def test_a_build_makes_exactly_the_promised_checks(small: SmallMesh) -> None:
    small.need([("item", "varchar", {"required": True})])
    for name in ("shop", "plan"):
        assert told(promised(small, name)) == told(small.build(name).checks)
    assert [promise.rule for promise in promised(small, "shop") if promise.origin == "need"] == [
        "needed by plan: has the columns and types it reads (1)", "needed by plan: item is required",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_partitioned_build_makes_exactly_the_promised_checks(small: SmallMesh) -> None:
    small.partitioned_shop()
    assert told(promised(small, "shop")) == told(small.build("shop").checks)
