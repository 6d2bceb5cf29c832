import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.conftest import ROOT

LAZY = sorted(path.parent.name for path in (ROOT / "kit").glob("*/__init__.py") if "lazy_face(__name__)" in path.read_text())


def loaded(code: str) -> set[str]:
    """The modules of the kit that are imported after a piece of code."""
    report = "\nimport sys; print(*(name for name in sys.modules if name.startswith('kit.')))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


@pytest.mark.parametrize("package", LAZY)
def test_each_name_of_a_face_is_that_of_its_module(package: str) -> None:
    face = import_module(f"kit.{package}")
    path = Path(str(face.__file__))
    tree = ast.parse(path.read_text())
    origins = {
        name.asname or name.name: (str(node.module), name.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(f"kit.{package}")
        for name in node.names
    }
    assert set(face.__all__) <= {*origins, "lazy_face"}
    for name, (module, original) in origins.items():
        import_module(module)
        expected = import_module(f"{module}.{name}") if module == face.__name__ else getattr(import_module(module), original)
        assert getattr(face, name) is expected
    with pytest.raises(AttributeError, match=f"module 'kit.{package}' has no attribute 'no_such_name'"):
        _ = face.no_such_name


@pytest.mark.parametrize("package", LAZY)
def test_no_lazy_name_is_that_of_a_module(package: str) -> None:
    """The import of the module, by whatever code, would take the place of the name."""
    folder = ROOT / "kit" / package
    blocks = [node for node in ast.parse((folder / "__init__.py").read_text()).body if isinstance(node, ast.If)]
    nodes = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    names = {name.asname or name.name for node in nodes if node.module != f"kit.{package}" for name in node.names}
    assert names & {path.stem for path in folder.glob("*.py")} == set()


def test_a_name_is_imported_when_it_is_used() -> None:
    at_once = {"kit.core", "kit.core.calling_notebook", "kit.core.cgroups", "kit.core.face", "kit.core.version"}
    assert loaded("import kit.core") == at_once
    assert loaded("from kit.core import counted") == {*at_once, "kit.core.text"}


def test_the_process_of_an_ingest_py_imports_no_contracts() -> None:
    packages = {name.split(".")[1] for name in loaded("import kit.ingest.worker")}
    assert packages == {"core", "ingest"}
