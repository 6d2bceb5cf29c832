import json
from datetime import datetime
from pathlib import Path

import pytest

from kit.governance.check import check_consumer_contracts, check_deprecation, check_mesh, check_offers
from tests.support.findings import pairs
from tests.support.small_mesh import SmallMesh, notebook, write

LAST_DAY = datetime(2024, 3, 31, 23)


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)


def found(small: SmallMesh) -> list[tuple[str, str]]:
    return pairs(check_mesh(small.context))


def test_a_sound_mesh_has_no_findings(small: SmallMesh) -> None:
    assert found(small) == []


def test_a_broken_product_is_one_finding_beside_those_of_the_others(small: SmallMesh) -> None:
    small.replace("domains/shop/contracts/sales.odcs.yaml", '"bigint"', '"bigger"')
    write(small.domains / "plan/contracts/lost.odcs.yaml", "{}")
    broken, other = check_mesh(small.context)
    assert (broken.product, broken.path, broken.line) == ("shop", small.domains / "shop/contracts/sales.odcs.yaml", 16)
    assert (other.product, other.message) == ("plan", "belongs to nothing in product.odps.yaml")


@pytest.mark.parametrize("file", ["contracts/lost.odcs.yaml", "sources/lost.odcs.yaml", "expectations/lost.json"])
def test_a_file_that_belongs_to_nothing_is_found(small: SmallMesh, file: str) -> None:
    write(small.domains / "shop" / file, "{}")
    message = f"domains/shop/{file}: belongs to nothing in product.odps.yaml; declare it there or delete the file"
    assert found(small) == [("shop", message)]


def test_a_suite_names_columns_of_its_port_only(small: SmallMesh) -> None:
    small.replace("domains/shop/expectations/sales.extra.json", '"column": "amount"', '"column": "price"')
    message = (
        "domains/shop/expectations/sales.extra.json: 'column mean to be between: column=price, min_value=5, max_value=50' "
        "names the column 'price'; the columns are: amount, item, sale_id, sold_on"
    )
    assert found(small) == [("shop", message)]


def test_a_link_out_of_the_domain_is_found(small: SmallMesh) -> None:
    write(small.root / "secret.txt", "mine")
    (small.domains / "shop/notes").symlink_to(small.root / "secret.txt")
    assert found(small) == [("shop", "domains/shop: the path 'notes' leaves the folder; keep files inside it")]


def test_a_model_in_python_is_found(small: SmallMesh) -> None:
    write(small.domains / "shop/models/marts/extra.py", "def model(dbt, session):\n    return None\n")
    message = "could read anything; write it in SQL, or make the port with a notebook"
    assert found(small) == [("shop", f"domains/shop/models/marts/extra.py: a model in Python {message}")]


def test_notebooks_of_no_domain_are_checked_too(small: SmallMesh) -> None:
    data = notebook(["1 + 1"])
    data["metadata"]["kernelspec"]["name"] = "julia"
    write(small.root / "notebooks/explore.ipynb", json.dumps(data))
    assert found(small) == [("notebooks", "notebooks/explore.ipynb: its kernel is 'julia'; notebooks use 'python3'")]


def test_until_its_last_day_is_over_an_old_version_is_no_problem(small: SmallMesh) -> None:
    small.two_majors()
    assert pairs(check_deprecation(small.mesh, LAST_DAY)) == []


def test_after_its_last_day_provider_and_readers_are_told(small: SmallMesh) -> None:
    small.two_majors()
    assert pairs(check_deprecation(small.mesh, datetime(2024, 4, 1))) == [
        (
            "shop",
            "domains/shop/contracts/totals_v1.odcs.yaml:40: slaProperties: 'shop.totals_v1' ended on 2024-03-31, and is "
            "still read by plan (plan owner, o@example.com); let them move, then delete the port, its model and this contract",
        ),
        (
            "plan",
            "domains/plan/product.odps.yaml:12: inputPorts.0: 'shop.totals' 1.0.0 is served by 'shop.totals_v1', which ended "
            "on 2024-03-31; move to shop.totals 2.0.0",
        ),
    ]


def test_a_draft_is_offered_to_no_other_product(small: SmallMesh) -> None:
    contract = "domains/shop/contracts/totals.odcs.yaml"
    assert pairs(check_offers(small.mesh)) == []
    small.replace(contract, '"status": "active"', '"status": "draft"')
    small.replace(contract, "One row per totals.", "TODO: One row per …")
    reader = (
        "plan",
        "domains/plan/product.odps.yaml:12: inputPorts.0: 'shop.totals' is draft, not yet offered to other products; ask shop "
        "owner (o@example.com) to finish its contract and write 'status: active' there",
    )
    assert pairs(check_offers(small.mesh)) == [reader]
    small.replace(contract, "TODO: One row per …", "One row per item.")
    left, told = check_offers(small.mesh)
    assert (left.severity, told.severity) == ("warning", "error")
    assert str(left) == (
        "domains/shop/contracts/totals.odcs.yaml:6: status: a draft in which nothing is left to be written; other products "
        "cannot read it yet; write 'status: active'"
    )
    small.replace(contract, '"status": "draft"', '"status": "active"')
    assert pairs(check_offers(small.mesh)) == []


def test_what_is_retired_is_to_be_read_no_more(small: SmallMesh) -> None:
    small.replace("domains/shop/contracts/totals.odcs.yaml", '"status": "active"', '"status": "retired"')
    ((product, message),) = pairs(check_offers(small.mesh))
    assert product == "plan"
    assert message.endswith("'shop.totals' is retired, no longer offered to other products; stop reading it")


def test_what_nobody_reads_is_to_be_deleted(small: SmallMesh) -> None:
    small.two_majors()
    small.replace(
        "domains/plan/product.odps.yaml",
        '"version": "1.0.0",\n   "contractId": "shop',
        '"version": "2.0.0",\n   "contractId": "shop',
    )
    ((_, message),) = pairs(check_deprecation(small.mesh, datetime(2024, 4, 1)))
    assert message.endswith("'shop.totals_v1' ended on 2024-03-31; delete the port, its model and this contract")


def test_a_broken_reader_is_corrected_before_the_port_is_deleted(small: SmallMesh) -> None:
    small.two_majors()
    small.replace("domains/plan/product.odps.yaml", '"outputPorts"', '"outputs"')
    ((product, message),) = pairs(check_deprecation(small.mesh, datetime(2024, 4, 1)))
    assert product == "shop"
    assert "correct plan first; delete the port" in message


def test_the_provider_is_told_who_needs_more(small: SmallMesh) -> None:
    small.need([("amount", "decimal(18,2)", {}), ("sold_on", "date", {})])
    message = (
        "domains/shop/contracts/totals.odcs.yaml: promises less than 'plan' needs: column sold_on: dropped; promise it, or "
        "agree with plan owner (o@example.com) on domains/plan/consumes/shop.totals.odcs.yaml"
    )
    assert pairs(check_consumer_contracts(small.mesh)) == [("shop", message)]
    assert pairs(check_mesh(small.context)) == [("shop", message)]


def test_only_a_change_that_hits_a_need_is_a_problem(small: SmallMesh) -> None:
    small.need([("item", "varchar", {"required": True})])
    contract = Path("domains/shop/contracts/totals.odcs.yaml")
    small.replace(str(contract), '"name": "amount"', '"name": "value"')
    assert pairs(check_consumer_contracts(small.mesh)) == []
    small.replace(str(contract), '"name": "item"', '"name": "good"')
    assert [finding.message.partition("needs: ")[2] for finding in check_consumer_contracts(small.mesh)] == [
        "column item: renamed to good"
    ]


def test_a_need_of_nothing_that_is_read_belongs_to_nothing(small: SmallMesh) -> None:
    path = small.need([("amount", "decimal(18,2)", {})])
    path.rename(path.with_name("shop.sales.odcs.yaml"))
    assert pairs(check_mesh(small.context)) == [
        (
            "plan",
            "domains/plan/consumes/shop.sales.odcs.yaml: belongs to nothing in product.odps.yaml; declare it there or "
            "delete the file",
        )
    ]


def test_ingest_imports_what_the_mesh_declares(small: SmallMesh) -> None:
    path = small.domains / "shop/ingest.py"
    text = path.read_text()
    write(path, f"{text}\nimport nbval\n")
    at = f"domains/shop/ingest.py:{text.count(chr(10)) + 2}"
    expected = f"{at}: imports 'nbval', which pyproject.toml does not declare; add 'nbval' to its dependencies"
    assert found(small) == [("shop", expected)]
    pyproject = small.root / "pyproject.toml"
    write(pyproject, '[project]\nname = "mesh"\nversion = "1"\ndependencies = ["nbval"]\n' + pyproject.read_text())
    assert found(small) == []
    write(path, f"{text}\nimport nothing_of_that_name\n")
    (problem,) = found(small)
    assert "imports 'nothing_of_that_name', which is not installed" in problem[1]
