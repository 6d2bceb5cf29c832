from datetime import datetime
from typing import Any

import pytest

from kit.build.expected_checks import Promise, promises
from kit.dbt.project import Project
from kit.mesh.product import DataProduct
from tests.support.small_mesh import SmallMesh

COLUMNS = "Columns and types are exactly those of the contract."


def promised(small: SmallMesh, name: str) -> list[Promise]:
    product = small.product(name)
    return list(promises(product, Project.read(product.folder), small.config.clock()))


def told(items: Any) -> list[tuple[str, str, str, str]]:
    return sorted((item.table, item.rule, item.origin, item.severity) for item in items)


def test_what_is_promised_of_a_product(small: SmallMesh) -> None:
    product: DataProduct = small.product("plan")
    assert promises(product, Project((), ()), datetime(2024, 1, 10)) == (
        Promise("forecast", "has the contract's 2 columns and types", "contract", "error", COLUMNS),
        Promise("forecast", "item is required", "contract", "error", ""),
        Promise("forecast", "item is unique", "contract", "error", ""),
        Promise("forecast", "amount is required", "contract", "error", ""),
        Promise("forecast", "amount is at least 0", "contract", "error", ""),
        Promise("forecast", "amount is finite", "contract", "error", ""),
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
