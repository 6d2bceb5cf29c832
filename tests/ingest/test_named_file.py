import subprocess
from pathlib import Path

import pytest

from kit.build.places import ingest_process
from kit.core.errors import IngestError
from kit.ingest.named_file import NamedFiles
from kit.ingest.package_data import package_file
from kit.ingest.process import Returned
from tests.support.small_mesh import SmallMesh, write

IMPORTS = "from pathlib import Path\nfrom kit.ingest import package_file\n"
KNOWN = [
    ("def sales():\n    return 'data/x.csv'", "data/x.csv"),
    ('"""Sources."""\nFOLDER = "x"\ndef sales() -> str:\n    """Rows."""\n    return "./x.csv"', "./x.csv"),
    (f"{IMPORTS}def sales() -> Path:\n    return Path('data//x.csv')", "data/x.csv"),
    (f"{IMPORTS}def sales() -> Path:\n    return Path(__file__).parent / 'data' / 'x.csv'", "{folder}/data/x.csv"),
    (f"{IMPORTS}def sales() -> Path:\n    return package_file('jinja2', 'py.typed')", str(package_file("jinja2", "py.typed"))),
    ("def sales():\n    return 'x.csv'\ndef other(state=None):\n    yield from sales()", "x.csv"),
    ("FILE = 'x.csv'\ndef sales():\n    return FILE", "x.csv"),
    (f"{IMPORTS}FOLDER = 'data'\ndef sales():\n    return Path(FOLDER) / 'x.csv'", "data/x.csv"),
    ("# -*- coding: latin-1 -*-\ndef sales():\n    return 'caf\u00e9.csv'", "caf\u00c3\u00a9.csv"),
]
UNKNOWN = [
    "import os\ndef sales():\n    return 'x.csv'",
    "from os import getcwd\ndef sales():\n    return 'x.csv'",
    "from kit.ingest import package_file as Path\ndef sales():\n    return Path('x.csv')",
    "def sales():\n    return Path('x.csv')",
    f"{IMPORTS}Path = 1\ndef sales():\n    return Path('x.csv')",
    f"{IMPORTS}__file__ = 'y'\ndef sales():\n    return Path(__file__).parent / 'x.csv'",
    f"{IMPORTS}def package_file(a, b):\n    return b\ndef sales():\n    return package_file('jinja2', 'py.typed')",
    "print('x')\ndef sales():\n    return 'x.csv'",
    "@staticmethod\ndef sales():\n    return 'x.csv'",
    "def sales(state):\n    return 'x.csv'",
    "def sales() -> Nothing:\n    return 'x.csv'",
    "def sales():\n    return 'x.csv'\ndef other(a: Nothing):\n    return a",
    "def sales():\n    return 'x.csv'\ndef other(a=nothing):\n    return a",
    "def sales():\n    return 'x.csv'\ndef other():\n    global sales\n    sales = None",
    "def sales():\n    return 'x.csv'\ndef sales():\n    return ['y.csv']",
    "async def sales():\n    return 'x.csv'",
    "def sales():\n    nonlocal x\n    return 'x.csv'",
    "def sales():\n    return f'{1}.csv'",
    "FILE = 'x.csv'\nFILE = 'y.csv'\ndef sales():\n    return FILE",
    "def sales():\n    return ''",
    "def sales():\n    return 1",
    "def sales():\n    return None",
    "def sales(:\n",
    "def sales():\n    if True:\n        return 'x.csv'",
    f"{IMPORTS}def sales():\n    return package_file('no_such_package', 'x.csv')",
    f"{IMPORTS}def sales():\n    return package_file('jinja2', 'no_such_file')",
    f"{IMPORTS}def sales():\n    return package_file('kit.ingest', 'py.typed')",
    f"{IMPORTS}def sales():\n    return Path('x\\0').parent",
]


@pytest.mark.parametrize(("body", "path"), KNOWN)
def test_a_path_that_the_code_names_is_that_of_the_call(small: SmallMesh, body: str, path: str) -> None:
    folder = small.domains / "shop"
    write(folder / "ingest.py", body)
    named = NamedFiles(folder).find("sales")
    assert named == path.format(folder=folder)
    with ingest_process(small.config, small.product("shop")) as process:
        process._named = NamedFiles(folder / "sources")  # nothing is known: the function is called
        assert process.call("sales", "shop.raw.sales") == Returned((named,), False, None)


@pytest.mark.parametrize("body", UNKNOWN)
def test_all_else_is_known_only_when_it_is_called(tmp_path: Path, body: str) -> None:
    write(tmp_path / "ingest.py", body)
    assert NamedFiles(tmp_path).find("sales") is None


def test_a_package_that_the_domain_has_beside_its_code_is_found_by_the_call_only(tmp_path: Path) -> None:
    write(tmp_path / "ingest.py", f"{IMPORTS}def sales():\n    return package_file('jinja2', 'py.typed')")
    assert NamedFiles(tmp_path).find("sales")
    write(tmp_path / "jinja2/__init__.py", "")
    assert NamedFiles(tmp_path).find("sales") is None


def test_no_file_and_no_function_have_no_names(tmp_path: Path) -> None:
    assert NamedFiles(tmp_path).find("sales") is None
    write(tmp_path / "ingest.py", "def other():\n    return 'x.csv'")
    assert NamedFiles(tmp_path).find("sales") is None


def test_a_named_file_is_landed_without_a_process_and_no_other_place_is_read(
    small: SmallMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    write(small.domains / "shop/ingest.py", "def sales():\n    return 'data/x.csv'\n")
    with ingest_process(small.config, small.product("shop")) as process:
        assert process.call("sales", "shop.raw.sales", first_only=True).paths == ("data/x.csv",)
        with pytest.raises(IngestError, match="is no place of this source"):
            process.check_readable("shop.raw.sales", tmp_path / "elsewhere.csv", "sales")
