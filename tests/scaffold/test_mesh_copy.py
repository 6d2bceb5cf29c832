import pytest

from kit.core.config import Config
from kit.core.errors import UnknownName
from kit.mesh.mesh import Mesh
from kit.scaffold.mesh_copy import mesh_copy
from tests.scaffold.test_new import tree
from tests.support.files import write
from tests.support.small_mesh import SmallMesh


def test_one_product_can_be_changed_and_the_mesh_is_as_it_was(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    before = tree(small.root)
    with pytest.raises(UnknownName) as caught, mesh_copy(small.config, "plan") as copy:
        assert Config.load(copy.config.root, {}).storage == copy.config.root / "state"
        assert copy.config.storage == small.config.storage
        domains = copy.config.domains
        assert Mesh.load(domains).names == ("plan", "shop")
        assert [(domains / name).is_symlink() for name in ("plan", "shop")] == [False, True]
        descriptor = copy.folder / "product.odps.yaml"
        assert copy.original_path(descriptor) == small.domains / "plan/product.odps.yaml"
        descriptor.write_text("kind: [")
        (broken,) = Mesh.load(domains).broken
        raise UnknownName(f"{broken.finding.message} in {descriptor}", broken.finding.path, broken.finding.line)
    error = caught.value
    assert (error.path, error.line) == (small.domains / "plan/product.odps.yaml", 2)
    assert error.problem.startswith("not valid YAML")
    assert error.problem.endswith(" in domains/plan/product.odps.yaml")
    assert tree(small.root) == before
    assert not copy.config.root.exists()


def test_changes_are_those_by_hand_and_those_of_generated_files(small: SmallMesh) -> None:
    with mesh_copy(small.config, "plan") as copy:
        assert [change.path for change in copy.changes() if not change.generated] == []
        write(copy.folder / "models/new.sql", "select 1")
        (change,) = (change for change in copy.changes() if not change.generated)
    assert (change.path, change.before, change.after) == (small.domains / "plan/models/new.sql", None, b"select 1")
