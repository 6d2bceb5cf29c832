import json
import re
from copy import deepcopy
from pathlib import Path
from shutil import rmtree
from subprocess import CalledProcessError
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.yaml import read_yaml
from kit.governance.check import check_mesh
from kit.sync.markers import END
from kit.sync.sync import check_generated, check_writable, drifts, sync
from tests.conftest import examples
from tests.contracts.test_compatibility import contracts
from tests.storage.test_intake import plain_intake
from tests.support.findings import pairs
from tests.support.repository import commit_all, git
from tests.support.small_mesh import SmallMesh


def urls(path: Path) -> list[str]:
    return [item["kwargs"]["url"] for item in read_yaml(path).data["data"].values()]


def written(small: SmallMesh) -> list[str]:
    return [str(path.relative_to(small.root)) for path in sync(small.context)]


def test_the_catalogs_are_written_once_and_byte_for_byte_the_same(small: SmallMesh) -> None:
    names = ["catalog.yaml", "domains/shop/catalog.yaml", "domains/plan/catalog.yaml"]
    before = {name: (small.root / name).read_bytes() for name in names}
    assert written(small) == []
    for name in names:
        (small.root / name).unlink()
    assert written(small) == names
    assert {name: (small.root / name).read_bytes() for name in names} == before
    assert list(check_generated(small.context)) == []


def test_they_lead_to_the_storage_of_pyproject_whatever_the_environment_says(small: SmallMesh) -> None:
    assert urls(small.root / "catalog.yaml") == [
        "{CATALOG_DIR}/state/products/plan/catalog.yaml",
        "{CATALOG_DIR}/state/products/shop/catalog.yaml",
    ]
    assert urls(small.domains / "shop/catalog.yaml") == ["{CATALOG_DIR}/../../state/products/shop/catalog.yaml"]
    done = small.kit("sync", KIT_STORAGE="/proc/nowhere")
    assert (done.returncode, done.stdout) == (0, "all generated files are up to date\n")
    assert small.kit("check", KIT_STORAGE="/proc/nowhere").returncode == 0


@pytest.mark.parametrize(
    ("storage", "url"),
    [
        ("../elsewhere", "{CATALOG_DIR}/../elsewhere/products/shop/catalog.yaml"),
        ("/srv/mesh", "/srv/mesh/products/shop/catalog.yaml"),
        ("~/mesh", "~/mesh/products/shop/catalog.yaml"),
    ],
)
def test_a_storage_elsewhere_is_led_to(small: SmallMesh, storage: str, url: str) -> None:
    small.replace("pyproject.toml", '"state"', json.dumps(storage))
    assert list(check_generated(small.context))
    sync(small.context)
    assert urls(small.root / "catalog.yaml")[1] == url
    assert list(check_generated(small.context)) == []


def test_plain_intake_reads_a_storage_beside_the_mesh(small: SmallMesh) -> None:
    small.replace("pyproject.toml", '"state"', f'"../{small.root.name}-elsewhere"')
    sync(small.context)
    small.publish("shop")
    small.publish("plan")
    _, _, total = plain_intake(Path("catalog.yaml"), small.root)
    assert total == "480.00"


def test_beside_a_broken_product_the_others_are_written(small: SmallMesh) -> None:
    for name in ("catalog.yaml", "domains/shop/catalog.yaml", "domains/plan/catalog.yaml"):
        (small.root / name).write_text("version: 1\n")
    (small.domains / "shop/product.odps.yaml").write_text("kind: [")
    done = small.kit("sync")
    assert (done.returncode, done.stdout) == (1, "written: domains/plan/catalog.yaml\n")
    assert done.stderr.startswith("shop is broken: domains/shop/product.odps.yaml:2: not valid YAML: ")
    assert (small.root / "catalog.yaml").read_text() == "version: 1\n"


@pytest.mark.parametrize(
    ("path", "given", "where"),
    [
        ("contracts/totals.odcs.yaml", "the amount", "contracts/totals.odcs.yaml:26: schema.0.properties.1.description"),
        ("sources/sales.odcs.yaml", "the item", "sources/sales.odcs.yaml:26: schema.0.properties.1.description"),
        ("product.odps.yaml", "what shop is for", "product.odps.yaml:9: description.purpose"),
    ],
)
def test_nothing_is_written_of_a_product_with_a_template(small: SmallMesh, path: str, given: str, where: str) -> None:
    def files() -> dict[Path, bytes]:
        return {file: file.read_bytes() for file in small.root.rglob("*") if file.is_file()}

    for name in ("catalog.yaml", "domains/shop/catalog.yaml", "domains/plan/catalog.yaml"):
        (small.root / name).write_text("version: 1\n")
    small.replace(f"domains/shop/{path}", given, "\\u007b{ env_var('HOME') }}")
    before = files()
    assert written(small) == ["domains/plan/catalog.yaml"]
    assert {file.name for file, text in files().items() if before[file] != text} == {"catalog.yaml"}
    says = f"/domains/shop/{where}: '{{{{' begins a template, which dbt or Intake would run; write plain text"
    (refusal,) = map(str, check_writable(small.context))
    assert refusal.endswith(says)
    assert drifts(small.context) == []
    assert [message for _, message in pairs(check_mesh(small.context)) if "template" in message] == [refusal]


def test_a_change_of_the_owner_is_a_drift_until_it_is_synced(small: SmallMesh) -> None:
    small.replace("domains/shop/product.odps.yaml", '"shop owner"', '"another"')
    says = "differs from product.odps.yaml and pyproject.toml; run `kit sync`"
    done = small.kit("check")
    assert (done.returncode, done.stdout.partition("\n\n")[0].splitlines()) == (
        1,
        [f"catalog.yaml: catalog.yaml: {says}", f"shop: domains/shop/catalog.yaml: {says}"],
    )
    assert small.kit("sync").stdout == "written: catalog.yaml\nwritten: domains/shop/catalog.yaml\n"
    assert small.kit("check").returncode == 0


def drifted(small: SmallMesh) -> list[str]:
    return [finding.product for finding in check_generated(small.context)]


@pytest.mark.parametrize("damage", [None, b"", b"<svg/>\n", b"\xff"])
def test_a_picture_that_is_missing_or_changed_is_a_drift_until_it_is_synced(small: SmallMesh, damage: bytes | None) -> None:
    path = small.domains / "lineage.svg"
    before = path.read_bytes()
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    assert drifted(small) == ["lineage.svg"]
    assert written(small) == ["domains/lineage.svg"]
    assert path.read_bytes() == before
    assert drifted(small) == []


def test_the_picture_follows_what_products_read(small: SmallMesh) -> None:
    def arrows() -> list[str]:
        return re.findall("<title>(.* → .*)</title>", (small.domains / "lineage.svg").read_text())

    assert arrows() == ["shop.raw.sales → shop.sales", "shop.sales → shop.totals", "shop.totals → plan.forecast"]
    for name in ("product.odps.yaml", "notebooks/forecast.ipynb"):
        small.replace(f"domains/plan/{name}", "shop.totals", "shop.sales")
    assert drifted(small) == ["lineage.svg"]
    assert written(small) == ["domains/lineage.svg"]
    assert arrows() == ["shop.raw.sales → shop.sales", "shop.sales → plan.forecast", "shop.sales → shop.totals"]


def test_the_owner_and_descriptions_are_not_in_the_picture(small: SmallMesh) -> None:
    small.replace("domains/shop/product.odps.yaml", '"shop owner"', '"another"')
    small.replace("domains/shop/contracts/sales.odcs.yaml", "One row per sales.", "One row per sale.")
    assert drifted(small) == ["catalog.yaml", "shop", "shop", "shop"]


def test_beside_a_broken_product_the_picture_stays_and_is_not_judged(small: SmallMesh) -> None:
    path = small.domains / "lineage.svg"
    path.write_text("an older one")
    (small.domains / "shop/product.odps.yaml").write_text("kind: [")
    assert written(small) == []
    assert drifted(small) == []
    assert path.read_text() == "an older one"


def test_the_picture_of_a_mesh_without_products_is_empty_and_says_so(small: SmallMesh) -> None:
    for path in (small.domains / "shop", small.domains / "plan"):
        rmtree(path)
    assert sorted(written(small)) == ["catalog.yaml", "domains/lineage.svg"]
    assert drifted(small) == []
    picture = (small.domains / "lineage.svg").read_text()
    assert "This mesh has no data product yet." in picture
    assert "shop" not in picture


def test_a_link_in_the_place_of_a_generated_file_is_replaced_not_followed(small: SmallMesh, tmp_path: Path) -> None:
    path, elsewhere = small.domains / "shop/catalog.yaml", tmp_path / "elsewhere.yaml"
    elsewhere.write_text("mine")
    path.unlink()
    path.symlink_to(elsewhere)
    assert written(small) == ["domains/shop/catalog.yaml"]
    assert (path.is_symlink(), elsewhere.read_text()) == (False, "mine")


def test_check_says_what_to_do_about_a_picture(small: SmallMesh) -> None:
    (small.domains / "lineage.svg").write_text("")
    done = small.kit("check")
    says = "lineage.svg: domains/lineage.svg: differs from the lineage of the products; run `kit sync`"
    assert (done.returncode, done.stdout.partition("\n\n")[0]) == (1, says)


def test_check_shows_what_a_contract_changes(small: SmallMesh) -> None:
    small.replace("domains/shop/contracts/totals.odcs.yaml", '"decimal(18,2)"', '"decimal(20,2)"')
    (finding,) = check_generated(small.context)
    assert finding.detail.splitlines() == [
        "@@ -16,3 +16,3 @@",
        "         quote: true",
        '-        data_type: "decimal(18,2)"',
        '+        data_type: "decimal(20,2)"',
        "         description: the amount",
    ]
    assert drifts(small.context)[0].splitlines()[2:] == finding.detail.splitlines()
    assert written(small) == ["domains/shop/models/marts/totals.yml"]
    assert drifts(small.context) == []


def test_what_a_person_wrote_around_the_generated_parts_stays(small: SmallMesh) -> None:
    yml, readme = small.domains / "shop/models/marts/sales.yml", small.domains / "shop/README.md"
    readme.write_text("# Shop\n\nours\n")
    small.replace("domains/shop/contracts/sales.odcs.yaml", "One row per sales.", "One row per sale.")
    before = yml.read_text().partition("# kit sync: end")[2]
    assert written(small) == ["domains/shop/models/marts/sales.yml", "domains/shop/README.md"]
    assert yml.read_text().partition("# kit sync: end")[2] == before
    assert readme.read_text().splitlines()[0] == "# Shop"
    assert readme.read_text().endswith("<!-- kit sync: end -->\n\nours\n")
    assert written(small) == []


def test_a_link_in_the_place_of_a_readme_is_refused(small: SmallMesh, tmp_path: Path) -> None:
    path, elsewhere = small.domains / "shop/README.md", tmp_path / "elsewhere.md"
    elsewhere.write_text("mine")
    path.unlink()
    path.symlink_to(elsewhere)
    assert written(small) == []
    assert elsewhere.read_text() == "mine"
    assert [finding.product for finding in check_generated(small.context)] == ["shop"]


def test_branches_that_each_add_a_product_conflict_until_sync(small: SmallMesh) -> None:
    commit_all(small)
    for branch, product in (("one", "club"), ("two", "fair")):
        git(small.root, "switch", "-c", branch, "main")
        small.dbt_reader(product, "amount", "1.0.0")
        sync(small.context)
        git(small.root, "add", ".")
        git(small.root, "commit", "-m", product)
    with pytest.raises(CalledProcessError):
        git(small.root, "merge", "one")
    conflicts = git(small.root, "diff", "--name-only", "--diff-filter=U").splitlines()
    assert conflicts == ["catalog.yaml", "domains/lineage.svg"]
    done = small.kit("check")
    assert (done.returncode, done.stdout.partition("\n\n")[0].splitlines()) == (
        1,
        [
            "catalog.yaml: catalog.yaml: holds a git conflict; run `kit sync`",
            "lineage.svg: domains/lineage.svg: holds a git conflict; run `kit sync`",
        ],
    )
    assert small.kit("sync").stdout == "written: catalog.yaml\nwritten: domains/lineage.svg\n"
    git(small.root, "commit", "-am", "merged")
    assert small.kit("check").returncode == 0
    assert list(read_yaml(small.root / "catalog.yaml").data["entries"]) == ["club", "fair", "plan", "shop"]


def conflicting(small: SmallMesh, path: str, old: str, ours: str, theirs: str) -> None:
    """Two branches replace a line of a file each in its own way, and are merged."""
    commit_all(small)
    for branch, new in (("ours", ours), ("theirs", theirs)):
        git(small.root, "switch", "-c", branch, "main")
        small.replace(path, old, new)
        git(small.root, "commit", "-am", branch)
    with pytest.raises(CalledProcessError):
        git(small.root, "merge", "ours")


@pytest.mark.parametrize("path", ["domains/shop/README.md", "domains/shop/models/marts/totals.yml"])
def test_a_conflict_within_the_generated_part_is_replaced(small: SmallMesh, path: str) -> None:
    before = (small.root / path).read_text()
    line = [line for line in before.partition(END)[0].splitlines() if "amount" in line or "`totals`" in line][-1]
    conflicting(small, path, line, f"{line} a", f"{line} b")
    (finding,) = check_generated(small.context)
    assert (finding.path, finding.message, finding.fix) == (small.root / path, "holds a git conflict", "run `kit sync`")
    assert written(small) == [path]
    assert (small.root / path).read_text() == before


@pytest.mark.parametrize("path", ["domains/shop/README.md", "domains/shop/models/marts/totals.yml"])
def test_a_conflict_in_what_people_wrote_is_for_them_to_resolve(small: SmallMesh, path: str) -> None:
    with (small.root / path).open("a") as file:
        file.write("# ours\n")
    sync(small.context)
    conflicting(small, path, "# ours", "# mine", "# yours")
    text = (small.root / path).read_text()
    (finding,) = check_generated(small.context)
    assert (finding.product, finding.path, finding.line) == (
        "shop",
        small.root / path,
        text[: text.index("<<<<<<<")].count("\n") + 1,
    )
    assert finding.message == "holds a git conflict; edit the file to resolve it, then run `kit sync`"
    assert written(small) == []
    assert (small.root / path).read_text() == text


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=30)


@st.composite
def described(draw: st.DrawFn) -> Any:
    """Any contract of tests/test_evolution.py, in any words."""
    data = deepcopy(draw(contracts()))  # the strategies share their dictionaries
    table = data["schema"][0]
    for holder in (table, *table["properties"], *table["quality"]):
        holder["description"] = "A " + draw(WORDS)
    return data


@pytest.mark.hypothesis
def test_sync_has_nothing_to_do_after_sync_whatever_the_contract(small: SmallMesh) -> None:
    generated = [small.domains / "shop" / name for name in ("models/marts/sales.yml", "expectations/sales.json", "README.md")]

    @settings(max_examples=examples(20))
    @given(described())
    def twice(data: Any) -> None:
        (small.domains / "shop/contracts/sales.odcs.yaml").write_text(json.dumps(data, ensure_ascii=False))
        assert small.mesh.broken == ()
        sync(small.context)
        once = [path.read_bytes() for path in generated]
        assert drifts(small.context) == []
        assert written(small) == []
        assert [path.read_bytes() for path in generated] == once
        (model,) = read_yaml(generated[0]).data["models"]
        assert [column["name"] for column in model["columns"]] == [item["name"] for item in data["schema"][0]["properties"]]

    twice()
