import pytest

from kit.core.config import Config
from kit.core.errors import UnknownName
from kit.mesh.mesh import Mesh
from kit.scaffold.mesh_copy import mesh_copy
from tests.scaffold.test_new import tree
from tests.support.small_mesh import SmallMesh


def test_one_product_can_be_changed_and_the_mesh_is_as_it_was(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    before = tree(small.root)
    with pytest.raises(UnknownName) as caught, mesh_copy(small.config, "plan") as there:
        assert Config.load(there.root, {}).storage == there.root / "state"
        assert there.storage == small.config.storage
        assert Mesh.load(there.domains).names == ("plan", "shop")
        assert [(there.domains / name).is_symlink() for name in ("plan", "shop")] == [False, True]
        descriptor = there.domains / "plan/product.odps.yaml"
        descriptor.write_text("kind: [")
        (broken,) = Mesh.load(there.domains).broken
        raise UnknownName(str(broken.finding))
    assert str(caught.value).startswith("domains/plan/product.odps.yaml:2: not valid YAML")
    assert tree(small.root) == before
    assert not there.root.exists()
