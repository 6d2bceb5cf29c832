import pytest

from kit.sync.texts import check_templates, check_unfinished
from tests.support.small_mesh import SmallMesh

CONTRACT = "domains/shop/contracts/totals.odcs.yaml"


@pytest.mark.parametrize("text", ["{{ x }}", "{% x %}", "{# x #}", "{env(HOME)}", "\\u007b{ x }}"])
def test_a_template_is_found_with_its_place(small: SmallMesh, text: str) -> None:
    small.replace(CONTRACT, "the amount", text)
    (finding,) = check_templates(small.product("shop"))
    assert (finding.product, finding.path, finding.line) == ("shop", small.root / CONTRACT, 26)
    assert finding.message.startswith("schema.0.properties.1.description: '{")
    assert finding.fix == "write plain text"


@pytest.mark.parametrize("text", ["{table}", "{ x }", "100 %", "f(x)"])
def test_other_braces_are_text(small: SmallMesh, text: str) -> None:
    small.replace(CONTRACT, "the amount", text)
    assert list(check_templates(small.product("shop"))) == []


def test_unfinished_texts_are_found_where_they_are(small: SmallMesh) -> None:
    small.replace(CONTRACT, "the amount", "TODO: explain it")
    readme = small.domains / "shop/README.md"
    readme.write_text("# Shop\n\nTODO: write this\n<!-- kit sync: begin -->\nTODO: x\n<!-- kit sync: end -->\n")
    findings = list(check_unfinished(small.product("shop")))
    assert [(finding.path, finding.line) for finding in findings] == [(small.root / CONTRACT, 26), (readme, 3)]


def test_of_many_unfinished_texts_the_first_are_listed(small: SmallMesh) -> None:
    readme = small.domains / "shop/README.md"
    readme.write_text("TODO: more\n" * 25)
    findings = list(check_unfinished(small.product("shop")))
    assert [finding.line for finding in findings] == [*range(1, 21), None]
