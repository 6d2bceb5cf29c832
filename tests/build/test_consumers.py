import json
from collections.abc import Callable
from typing import Any

import pytest

from kit.build.consumers import check_consumers
from kit.core.errors import MeshError
from kit.governance.check import check_published_contracts
from kit.sync.sync import sync
from tests.support.small_mesh import SmallMesh

TOTALS = "domains/shop/contracts/totals.odcs.yaml"


def edit(small: SmallMesh, path: str, change: Callable[[dict[str, Any]], Any]) -> None:
    file = small.root / path
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def rename_amount(small: SmallMesh) -> None:
    """Rename `amount` of `shop.totals` in its model, its unit test and its contract, under the same version."""
    small.replace("domains/shop/models/marts/totals.sql", "as amount", "as total")
    small.replace("domains/shop/models/marts/sales.yml", "{item: tea, amount: 3}", "{item: tea, total: 3}")
    edit(small, TOTALS, lambda data: data["schema"][0]["properties"][1].update(name="total"))
    edit(small, TOTALS, lambda data: data["schema"][0]["quality"].clear())
    sync(small.context)


def test_a_snapshot_explains_itself(small: SmallMesh) -> None:
    snapshot = small.build("shop").snapshot
    assert snapshot is not None
    assert (snapshot.folder / "product.odps.yaml").read_bytes() == (small.domains / "shop/product.odps.yaml").read_bytes()
    contract = snapshot.contract("totals")
    assert contract is not None
    assert contract.read_bytes() == (small.root / TOTALS).read_bytes()
    assert snapshot.contract("nothing") is None


def test_a_column_renamed_under_the_same_version_is_not_published_while_a_consumer_uses_it(small: SmallMesh) -> None:
    first = small.build("shop")
    assert small.build("plan").status == "published"
    rename_amount(small)
    held = small.build("shop")
    assert (held.status, held.snapshot) == ("failed", None)
    assert "plan (plan owner, o@example.com; reads amount)" in held.message
    assert "make its version 2.0.0" in held.message
    current = small.store.current("shop")
    assert current is not None
    assert current.version == first.version
    (finding,) = check_published_contracts(small.context)
    assert (finding.product, finding.path) == ("shop", small.root / TOTALS)
    # A forced build is held as well; a version that tells consumers to move is not.
    assert small.build("shop", force=True).failed
    edit(small, TOTALS, lambda data: data.update(version="2.0.0"))
    edit(small, "domains/shop/product.odps.yaml", lambda data: data["outputPorts"][1].update(version="2.0.0"))
    sync(small.context)
    assert small.build("shop").status == "published"


def test_a_column_that_no_consumer_uses_may_go(small: SmallMesh) -> None:
    small.build("shop")
    cells = ["import kit", "frame = kit.inputs().read('shop.totals').select('item')", "kit.output('forecast', frame)"]
    small.notebook("plan", "forecast", cells)
    rename_amount(small)
    assert small.build("shop").status == "published"


def test_a_consumer_that_moved_in_the_same_change_is_not_broken(small: SmallMesh) -> None:
    small.build("shop")
    small.replace("domains/plan/notebooks/forecast.ipynb", "amount=pl.col('amount')", "value=pl.col('total')")
    rename_amount(small)
    assert small.build("shop").status == "published"


def test_a_stated_need_counts_instead_of_the_columns_in_use(small: SmallMesh) -> None:
    small.build("shop")
    small.need([("item", "varchar", {})])
    rename_amount(small)
    check_consumers(small.context, small.product("shop"), small.store.current("shop"))
    small.need([("amount", "decimal(18,2)", {})])
    with pytest.raises(MeshError, match="would break plan"):
        check_consumers(small.context, small.product("shop"), small.store.current("shop"))


def test_a_published_contract_that_this_kit_refuses_is_not_compared(small: SmallMesh) -> None:
    snapshot = small.build("shop").snapshot
    assert snapshot is not None
    path = snapshot.contract("totals")
    assert path is not None
    path.write_text("{}")
    rename_amount(small)
    check_consumers(small.context, small.product("shop"), snapshot)


def test_a_snapshot_without_contracts_is_not_compared(small: SmallMesh) -> None:
    snapshot = small.build("shop").snapshot
    assert snapshot is not None
    for path in (snapshot.folder / "contracts").iterdir():
        path.unlink()
    rename_amount(small)
    check_consumers(small.context, small.product("shop"), snapshot)
    check_consumers(small.context, small.product("shop"), None)
