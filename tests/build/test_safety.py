from pathlib import Path

import pytest

from kit.build.safety import check_safety, safety_findings
from kit.core.errors import KitError
from kit.governance.check import check_mesh
from kit.lineage.python_reader import PythonReads
from tests.support.small_mesh import FORECAST, SmallMesh, write


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)


def seed_link(small: SmallMesh) -> str:
    write(small.root / "secret.csv", "a\n1\n")
    (small.domains / "shop/seeds").mkdir()
    (small.domains / "shop/seeds/extra.csv").symlink_to(small.root / "secret.csv")
    return "domains/shop: the path 'seeds/extra.csv' leaves the folder; keep files inside it"


def folder_link(small: SmallMesh) -> str:
    write(small.root / "elsewhere/x.sql", "select 1")
    (small.domains / "shop/models/more").symlink_to(small.root / "elsewhere")
    return "domains/shop: the path 'models/more' leaves the folder; keep files inside it"


def seed_path(small: SmallMesh) -> str:
    write(small.root / "elsewhere/extra.csv", "a\n1\n")
    path = small.domains / "shop/dbt_project.yml"
    write(path, path.read_text() + "\nseed-paths: ['../../elsewhere']\n")
    return (
        "domains/shop/dbt_project.yml: seed-paths names '../../elsewhere', outside of the domain folder; keep the files in it"
    )


def packages_path(small: SmallMesh) -> str:
    path = small.domains / "shop/dbt_project.yml"
    write(path, path.read_text() + "\npackages-install-path: /opt/packages\n")
    return (
        "domains/shop/dbt_project.yml: packages-install-path names '/opt/packages', outside of the domain folder; "
        "keep the files in it"
    )


def ingest(small: SmallMesh) -> str:
    write(small.domains / "shop/ingest.py", "import subprocess\ndef sales(): ...\n")
    return "domains/shop/ingest.py:1: uses subprocess, which runs code that cannot be checked; write it out"


def declared_place(small: SmallMesh) -> str:
    small.replace("domains/shop/sources/sales.odcs.yaml", "../../feed", "../plan/notebooks")
    return (
        "domains/shop/sources/sales.odcs.yaml: reads '../plan/notebooks', which is in the folder of 'plan'; "
        "declare a port of it as an input"
    )


@pytest.mark.parametrize("break_rule", [seed_link, folder_link, seed_path, packages_path, ingest, declared_place])
def test_a_build_refuses_what_check_refuses(small: SmallMesh, break_rule: object) -> None:
    assert callable(break_rule)
    says = break_rule(small)
    assert says in [str(finding) for finding in check_mesh(small.context)]
    outcome = small.build("shop")
    assert (outcome.status, outcome.message) == ("failed", f"'shop' is not built: {says}")
    assert not list((small.config.storage / "raw").rglob("*.parquet"))


def test_a_notebook_that_reads_past_its_inputs_is_not_run(small: SmallMesh) -> None:
    small.publish("shop")
    small.notebook("plan", "forecast", [*FORECAST, "kit.inputs().files['shop.totals'][0].parent"])
    outcome = small.build("plan")
    assert outcome.message.startswith(
        "'plan' is not built: domains/plan/notebooks/forecast.ipynb: cell 5, line 1: "
        "uses kit.inputs().files, which is internal to the kit"
    )
    assert not list((small.config.storage / "runs/plan").rglob("*.ipynb"))


def test_what_ingest_py_writes_into_the_folder_is_checked_before_dbt_reads_it(small: SmallMesh) -> None:
    path = small.domains / "shop/dbt_project.yml"
    code = f"import pathlib\npathlib.Path({str(path)!r}).open('a').write(\"\\nseed-paths: ['/etc']\\n\")\n"
    write(small.domains / "shop/ingest.py", code + "def sales():\n    return '../../feed/sales.csv'\n")
    outcome = small.build("shop")
    assert outcome.message == (
        "'shop' is not built: domains/shop/dbt_project.yml: seed-paths names '/etc', outside of the domain folder; "
        "keep the files in it"
    )


def test_links_inside_the_folder_are_nothing_special(small: SmallMesh) -> None:
    (small.domains / "shop/data").mkdir()
    (small.domains / "shop/data/link.py").symlink_to("../ingest.py")
    assert list(safety_findings(small.config, small.product("shop"))) == []


def proofs(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders whose Python is read from now on."""
    read: list[Path] = []

    def ingest_reads(product: str, folder: Path, places: object) -> PythonReads:
        read.append(folder)
        return PythonReads((), (), reads_any=False)

    monkeypatch.setattr("kit.build.safety.ingest_reads", ingest_reads)
    return read


def test_a_folder_is_proved_safe_once_for_each_content(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    product, read = small.product("shop"), proofs(monkeypatch)
    model = next((small.domains / "shop/models").rglob("*.sql"))
    check_safety(small.config, product)
    check_safety(small.config, product)
    assert len(read) == 1
    write(model, f"{model.read_text()} -- more\n")
    check_safety(small.config, product)
    check_safety(small.config, product)
    assert len(read) == 2
    (small.domains / "shop/data").mkdir()
    link = small.domains / "shop/data/link.csv"
    for number, target in enumerate(("../ingest.py", "../product.odps.yaml"), 3):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        check_safety(small.config, product)
        assert len(read) == number
    write(small.domains / "other/product.odps.yaml", "")  # another folder that must not be read
    check_safety(small.config, product)
    assert len(read) == 5


def test_a_folder_that_is_not_safe_is_refused_every_time(small: SmallMesh) -> None:
    check_safety(small.config, small.product("shop"))
    ingest(small)
    for _ in range(2):
        with pytest.raises(KitError, match=r"'shop' is not built: .*uses subprocess"):
            check_safety(small.config, small.product("shop"))


def test_a_declared_place_is_looked_at_every_time(small: SmallMesh) -> None:
    check_safety(small.config, small.product("shop"))
    (small.root / "feed").rename(small.root / "elsewhere")
    (small.root / "feed").symlink_to(small.domains / "plan/notebooks")
    with pytest.raises(KitError, match="which is in the folder of 'plan'"):
        check_safety(small.config, small.product("shop"))
