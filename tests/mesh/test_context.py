import ast
from pathlib import Path

import pytest

from kit.core.errors import ConfigError
from kit.mesh.context import Context
from kit.mesh.mesh import Mesh
from tests.conftest import ROOT
from tests.support.small_mesh import SmallMesh

FACES = {
    "cli", "jupyter", "orchestration/definitions.py", "orchestration/run_apart.py", "orchestration/webserver.py",
    "catalog/catalog.py", "notebooks/asking.py", "notebooks/asset.py", "notebooks/reading.py",
}  # fmt: skip
"""Commands, servers and code locations, and the public functions of notebooks, such as `kit.open`."""


def test_the_mesh_is_found_from_the_folder_the_variable_or_the_working_directory(
    small: SmallMesh, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Context.load(small.domains / "shop").config.root == small.root
    monkeypatch.chdir(small.domains)
    monkeypatch.setenv("KIT_STORAGE", "elsewhere")
    assert Context.load().config.storage == small.root / "elsewhere"
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    with pytest.raises(ConfigError):
        Context.load()
    monkeypatch.setenv("KIT_ROOT", str(small.root))
    assert Context.load().config.root == small.root


def test_products_are_read_at_the_first_use_and_once(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []
    load = Mesh.load
    monkeypatch.setattr(Mesh, "load", lambda domains, cache: loads.append(domains) or load(domains, cache))
    context = Context(small.config)
    assert loads == []
    assert context.mesh is context.mesh
    assert loads == [small.domains]
    assert context.mesh.names == ("plan", "shop")


def test_only_faces_look_for_the_mesh_and_only_a_context_reads_it() -> None:
    """All other code receives the context, the settings or the products.

    `sync` reads the settings without environment, and a connection outside of a build the memory that it may use.
    """
    calls: dict[str, set[str]] = {}
    for path in (ROOT / "kit").rglob("*.py"):
        place = path.relative_to(ROOT / "kit").as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == "load" and isinstance(node.value, ast.Name):
                calls.setdefault(node.value.id, set()).add(place)
    assert calls["Mesh"] == {"mesh/context.py"}
    assert calls["Config"] == {
        "mesh/context.py", "sync/sync.py", "cli/main.py", "notebooks/papermill_default.py", "core/resources.py",
    }  # fmt: skip
    assert {place for place in calls["Context"] if place not in FACES and place.partition("/")[0] not in FACES} == set()
