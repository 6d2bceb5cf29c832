import pytest

from kit.contracts.finding import Finding
from kit.sync.texts import check_templates, check_unfinished
from tests.support.small_mesh import SmallMesh, write


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)


def templates(small: SmallMesh) -> list[Finding]:
    return list(check_templates(small.mesh.product("shop")))


def unfinished(small: SmallMesh) -> list[str]:
    return list(map(str, check_unfinished(small.mesh.product("shop"))))


@pytest.mark.parametrize("sign", ["{{ env_var('HOME') }}", "{% set x = 1 %}", "{# note #}", "{env(HOME)}"])
def test_a_template_is_found_where_it_is(small: SmallMesh, sign: str) -> None:
    small.replace("domains/shop/contracts/totals.odcs.yaml", "the amount", sign)
    (finding,) = templates(small)
    assert (finding.product, finding.path, finding.line) == ("shop", small.domains / "shop/contracts/totals.odcs.yaml", 26)
    begins = {"{{": "{{", "{%": "{%", "{#": "{#", "{e": "{env("}[sign[:2]]
    assert finding.message == (
        f"schema.0.properties.1.description: '{begins}' begins a template, which dbt or Intake would run"
    )
    assert finding.fix == "write plain text"


def test_a_template_behind_an_escape_is_found(small: SmallMesh) -> None:
    small.replace("domains/shop/product.odps.yaml", "what shop is for", "\\u007b\\u007b x }}")
    assert [finding.message.partition(":")[0] for finding in templates(small)] == ["description.purpose"]


def test_braces_are_plain_text_elsewhere_and_in_rules(small: SmallMesh) -> None:
    assert templates(small) == []
    small.replace("domains/shop/contracts/totals.odcs.yaml", "the amount", "a {set} of { things }")
    small.replace("domains/shop/contracts/totals.odcs.yaml", "from raw.sales)", "from raw.sales where 'a' <> '{{')")
    assert templates(small) == []


def test_texts_to_be_written_are_found_in_descriptor_contracts_and_readme(small: SmallMesh) -> None:
    assert unfinished(small) == []
    small.replace("domains/shop/product.odps.yaml", "what shop is for", "TODO: for whom")
    small.replace("domains/shop/sources/sales.odcs.yaml", "the item", "TODO")
    small.replace("domains/shop/contracts/totals.odcs.yaml", "the amount", "not a TODO: it is written")
    with (small.domains / "shop/README.md").open("a") as file:
        file.write("It sells tea. TODO: what else\n")
    lines = (small.domains / "shop/README.md").read_text().count("\n")
    assert unfinished(small) == [
        "domains/shop/product.odps.yaml:9: description.purpose: still to be written (TODO: for whom)",
        "domains/shop/sources/sales.odcs.yaml:26: schema.0.properties.1.description: still to be written (TODO)",
        f"domains/shop/README.md:{lines}: still to be written (TODO: what else)",
    ]


def test_the_generated_part_of_a_readme_is_not_written_by_people(small: SmallMesh) -> None:
    readme = small.domains / "shop/README.md"
    write(readme, readme.read_text().replace("| `item` |", "| TODO: key |"))
    assert "TODO: key" in readme.read_text()
    assert unfinished(small) == []


def test_of_each_file_the_first_twenty_are_listed(small: SmallMesh) -> None:
    write(small.domains / "shop/README.md", "TODO: a\n" * 21)
    found = unfinished(small)
    assert len(found) == 21
    assert found[19:] == [
        "domains/shop/README.md:20: still to be written (TODO: a)",
        "domains/shop/README.md: more is still to be written",
    ]
    write(small.domains / "shop/README.md", "TODO: a\n" * 20)
    assert len(unfinished(small)) == 20


def test_without_a_readme_the_other_files_are_looked_at(small: SmallMesh) -> None:
    (small.domains / "shop/README.md").unlink()
    small.replace("domains/shop/product.odps.yaml", "what shop is for", "TODO")
    assert len(unfinished(small)) == 1
