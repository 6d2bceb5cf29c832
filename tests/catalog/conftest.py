"""A published shop for the tests of tabs."""

import json

import pytest

from kit.storage import index
from tests.support.small_mesh import SmallMesh

EVIL = "<script>alert(1)</script>&amp;'"


@pytest.fixture
def shop(small: SmallMesh) -> SmallMesh:
    """The small mesh with `shop` published: a description that is a script, a personal and a masked column."""
    version = small.publish("shop")
    contract = "shop/contracts/sales.odcs.yaml"
    small.replace(f"domains/{contract}", '"the item"', json.dumps(f"the item {EVIL}") + ', "classification": "personal"')
    small.mask(contract, amount={"generalise": 10})
    file = small.store.folder("shop") / version / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["ports"]["sales"]["masked"] = {"amount": "generalise"}
    file.write_text(json.dumps(manifest))
    index.write(small.context)
    return small
