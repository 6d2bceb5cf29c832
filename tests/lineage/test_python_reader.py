import json
from pathlib import Path

from kit.lineage.python import ingest_reads, notebook_reads
from tests.lineage.test_python_rules import faults
from tests.support.small_mesh import notebook, write


def test_reads_of_a_notebook_and_of_the_modules_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "notebooks/helper.py", "import kit\ndef get(): return kit.scan('shop.b')\n")
    cells = ["import kit, helper\nkit.read(f'shop.{name}')", "%%sql\nselect * from shop.c join frame using (x)"]
    write(tmp_path / "notebooks/nb.ipynb", json.dumps(notebook(cells)))
    reads = notebook_reads(tmp_path / "notebooks/nb.ipynb", "plan", tmp_path, {})
    assert [(read.place.path.name, read.place.cell, read.place.line, read.name) for read in reads.reads] == [
        ("helper.py", None, 2, "shop.b"),
        ("nb.ipynb", 1, 2, "shop..*"),
        ("nb.ipynb", 2, 2, "shop.c"),
    ]
    assert (reads.faults, reads.reads_any) == ((), False)


def test_a_refused_import_of_a_connector_names_the_modules_to_import_from(tmp_path: Path) -> None:
    write(tmp_path / "tap.py", "from kit.ingest.connector import Stream\nfrom kit.ingest import Stream, Connector\n")
    write(tmp_path / "ingest.py", "import tap\n")
    (fault,) = ingest_reads("shop", tmp_path, {}).faults
    assert str(fault).endswith(
        "tap.py:1: uses kit.ingest.connector, which is internal to the kit; "
        "import connectors and their parts from kit.ingest, errors from kit.core"
    )


def test_packages_of_the_domain_are_looked_into(tmp_path: Path) -> None:
    folder = tmp_path / "domains/plan/notebooks/tools"
    write(folder / "__init__.py", "from . import deep\n")
    write(folder / "deep.py", "import kit.storage\n")
    assert faults(tmp_path, "from tools import x") == ["uses kit.storage, which is internal to the kit"]
    write(folder / "__init__.py", "")
    assert faults(tmp_path, "import tools.deep") == ["uses kit.storage, which is internal to the kit"]
    assert faults(tmp_path, "x = 1") == []
