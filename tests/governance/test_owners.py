import json

import pytest

from kit.governance.owners import check_owners
from tests.support.findings import pairs
from tests.support.small_mesh import SmallMesh


def _team(small: SmallMesh, path: str, *owners: str) -> None:
    file = small.domains / path
    data = json.loads(file.read_text())
    members = [{"username": owner, "role": "owner"} for owner in owners]
    data["team"] = members if path.endswith(".odps.yaml") else {"name": "shop", "members": members}
    file.write_text(json.dumps(data))


@pytest.mark.parametrize("path", ["shop/contracts/totals.odcs.yaml", "shop/sources/sales.odcs.yaml"])
def test_a_contract_names_the_owner_of_its_product(small: SmallMesh, path: str) -> None:
    _team(small, "shop/product.odps.yaml", "ann@example.com")
    _team(small, path, "ann@example.com")
    assert list(check_owners(small.product("shop"))) == []
    _team(small, path, "bob@example.com")
    [(product, message)] = pairs(check_owners(small.product("shop")))
    assert product == "shop"
    assert "the owner is 'bob@example.com', in product.odps.yaml 'ann@example.com'; name the same owner in both" in message


def test_a_second_owner_is_refused(small: SmallMesh) -> None:
    _team(small, "shop/product.odps.yaml", "ann@example.com", "bob@example.com")
    (broken,) = [item for item in small.mesh.broken if item.name == "shop"]
    assert "a second owner; a product has one, who answers for it" in str(broken.finding)
