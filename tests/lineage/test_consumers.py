import pytest

from kit.contracts.compatibility import ContractChange
from kit.lineage.consumers import affected_columns
from tests.support.small_mesh import SmallMesh

CHANGES = (ContractChange("column a", "dropped", "major", frozenset({"a"})),)
WHOLE = (ContractChange("key", "changed", "major"),)


@pytest.mark.parametrize(
    ("changes", "used", "affected"),
    [
        (CHANGES, frozenset({"a", "b"}), ("a",)),
        (CHANGES, frozenset({"b"}), ()),
        (CHANGES, None, ("a",)),
        (WHOLE, frozenset({"b"}), ("b",)),
        (WHOLE, None, None),
        ((), None, ()),
    ],
)
def test_changes_affect_the_columns_in_use(
    small: SmallMesh, changes: tuple[ContractChange, ...], used: frozenset[str] | None, affected: tuple[str, ...] | None
) -> None:
    port = small.mesh.port("shop.totals")
    assert affected_columns("plan", port, port.contract, port.contract, changes, lambda: used) == affected


def test_the_need_of_a_consumer_counts_before_its_code(small: SmallMesh) -> None:
    small.need([("item", "varchar", {})])
    port = small.mesh.port("shop.totals")
    removed = (ContractChange("port", "removed", "major"),)
    assert affected_columns("plan", port, port.contract, None, removed, lambda: frozenset({"amount"})) == ("item",)
    assert affected_columns("plan", port, port.contract, port.contract, removed, lambda: None) == ()
