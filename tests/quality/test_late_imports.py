import subprocess
import sys
from pathlib import Path

import pytest

from kit.quality.late_imports import imported_when_used

LIBRARY = """
import {first}
from shelf import {second}

def used():
    return {first}.VALUE, {second}.VALUE
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library `shop` that imports `tools` and `shelf.box`, each of which notes that it is imported."""
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "__init__.py").touch()
    for path in (tmp_path / "tools.py", tmp_path / "shelf" / "box.py"):
        path.write_text(
            f"import builtins\nbuiltins.seen = [*getattr(builtins, 'seen', ()), {path.stem!r}]\nVALUE = {path.stem!r}\n"
        )
    (tmp_path / "shop.py").write_text(LIBRARY.format(first="tools", second="box"))
    return tmp_path


def printed(folder: Path, code: str) -> str:
    """What a new interpreter prints."""
    begin = "import builtins, sys\nbuiltins.seen = []\nfrom kit.quality.late_imports import imported_when_used\n"
    run = subprocess.run(
        [sys.executable, "-c", f"{begin}sys.path.insert(0, {str(folder)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


BLOCK = "with imported_when_used('tools', 'shelf.box'):\n    import shop\n"


def test_a_module_is_imported_when_something_in_it_is_used(library: Path) -> None:
    code = (
        BLOCK
        + "print(seen, 'tools' in sys.modules, 'shelf.box' in sys.modules)\nprint(shop.used(), seen)\nprint(shop.used(), seen)"
    )
    assert printed(library, code).splitlines() == [
        "[] False False", "('tools', 'box') ['tools', 'box']", "('tools', 'box') ['tools', 'box']",
    ]  # fmt: skip


def test_others_import_the_module_itself(library: Path) -> None:
    code = (
        BLOCK + "import tools, shelf.box\nprint(tools.__file__[-8:], shop.tools is tools, shelf.box.VALUE, shop.used(), seen)"
    )
    assert printed(library, code) == "tools.py False box ('tools', 'box') ['tools', 'box']"


def test_a_use_in_the_block_imports_at_once(library: Path) -> None:
    code = BLOCK + "    shop.tools.VALUE\n    import tools\nprint(tools.__file__[-8:], seen)"
    assert printed(library, code) == "tools.py ['tools']"


def test_an_imported_module_stays_as_it_is() -> None:
    before = sys.modules["pathlib"]
    with imported_when_used("pathlib"):
        assert sys.modules["pathlib"] is before
    assert sys.modules["pathlib"] is before


def test_a_missing_module_is_an_error_when_it_is_used(library: Path) -> None:
    (library / "tools.py").unlink()
    code = BLOCK + "try:\n    shop.used()\nexcept ModuleNotFoundError as error:\n    print(error)"
    assert printed(library, code) == "No module named 'tools'"
