from xml.etree import ElementTree

import pytest

from kit.catalog.quality_grid import draw_mesh, draw_port
from kit.contracts.check import Check
from kit.drawing.picture import Picture
from tests.catalog.test_quality_history import record
from tests.support.small_mesh import SmallMesh

SVG = "{http://www.w3.org/2000/svg}"
SHORTENED = 'left out: 1 more port, those that always passed first; filter with cat.search("words").quality().'
UNIQUE = Check("sales", "sale_id is unique", "contract", True)
BROKEN = Check("sales", "sale_id is unique", "contract", False, failing_rows=6)
WISH = Check("sales", "both items sell", "suite", False, "warning")
SUM = Check("totals", "they add up", "contract", True)


def texts(picture: Picture) -> list[str]:
    return [str(text.text) for text in ElementTree.fromstring(picture.svg).iter(f"{SVG}text")]


def builds(small: SmallMesh) -> None:
    record(small, 1, UNIQUE, SUM, status="published", version="v1")
    record(small, 2, BROKEN, WISH)


def test_each_port_by_builds(small: SmallMesh) -> None:
    builds(small)
    picture = draw_mesh(small.config, ["plan.forecast", "shop.sales", "shop.totals"])
    new, old = "2100-01-01 00:02", "2100-01-01 00:01"
    assert texts(picture) == [
        "Results of the newest builds", "newest build", "1 before", "plan", "forecast", "never built",
        "shop", "sales", "1 of 2 failed", new, "1 passed", old, "totals", "not published", new, "1 passed", old,
        "Each column is one build of a product, the newest on the left; times are UTC.",
    ]  # fmt: skip
    told = "plan.forecast: never built; shop.sales: 1 of 2 failed; shop.totals: not published."
    assert picture.alt.startswith(f"Results of the newest builds: {told}")
    assert "There are no ports yet" in texts(draw_mesh(small.config, []))[1]


def test_in_a_large_mesh_ports_that_did_not_pass_come_first(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    builds(small)
    monkeypatch.setattr("kit.catalog.quality_grid._MAX_ROWS", 1)
    words = texts(draw_mesh(small.config, ["plan.forecast", "shop.totals", "shop.sales"]))
    assert ("forecast" in words, "sales" in words) == (True, False)
    record(small, 3, UNIQUE, SUM, status="published", version="v2")
    monkeypatch.setattr("kit.catalog.quality_grid._MAX_BUILDS", 1)
    words = texts(draw_mesh(small.config, ["shop.totals", "plan.forecast"]))
    assert ("forecast" in words, words[-1]) == (True, SHORTENED)


def test_each_check_of_a_port_by_builds(small: SmallMesh) -> None:
    builds(small)
    picture = draw_port(small.config, "shop.sales")
    assert texts(picture) == [
        "Results of the checks of shop.sales", "2100-01-01 00:02", "failed", "2100-01-01 00:01", "published", "sales",
        "sale_id is unique", "contract", "failed, 6 rows", "passed", "both items sell", "suite", "warned", "not reached",
        "Each column is one build, the newest on the left; times are UTC.",
    ]  # fmt: skip
    assert picture.alt.startswith("Results of the checks of shop.sales: last 1 failed, 1 warned.")


def test_of_many_checks_those_that_always_passed_are_counted(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.catalog.quality_grid._MAX_CHECKS", 3)
    raw = [Check("raw.sales", f"rule {number}", "contract", True) for number in range(3)]
    record(small, 1, *raw, UNIQUE, status="published", version="v1")
    record(small, 2, *raw, BROKEN)
    record(small, 3, *raw[:2])
    assert texts(draw_port(small.config, "shop.sales"))[7:-1] == [
        "raw.sales", "3 checks that always passed", "contract", "2 passed", "3 passed", "3 passed",
        "sales", "sale_id is unique", "contract", "not reached", "failed, 6 rows", "passed",
    ]  # fmt: skip


def test_what_was_never_built_and_what_no_build_reached(small: SmallMesh) -> None:
    assert texts(draw_port(small.config, "shop.totals"))[1:] == ["shop.totals was never built; `kit run shop` builds it."]
    record(small, 1)
    assert texts(draw_port(small.config, "shop.totals"))[1:] == ["No build has reached its checks."]
