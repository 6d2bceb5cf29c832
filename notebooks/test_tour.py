"""What the tour and the notebook about quality show, checked on the published demo; they themselves only explain."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from notebooks.conftest import missing

_HERE = Path(__file__).parent
_PUBLIC = re.compile(r"\s*(?:import kit|from kit import .*)$")


def cells(name: str) -> list[str]:
    found = json.loads((_HERE / name).read_text())["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]


@pytest.fixture
def shown(request: pytest.FixtureRequest, published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The variables of a notebook after all of its cells."""
    if reason := missing(request.param):
        pytest.skip(reason)
    monkeypatch.chdir(_HERE)
    monkeypatch.setenv("KIT_STORAGE", str(published))
    names: dict[str, Any] = {}
    for cell in cells(request.param):
        exec(cell, names)  # noqa: S102 (a notebook of this repository)
    yield names


@pytest.mark.parametrize("name", ["00_start.ipynb", "02_quality_and_lineage.ipynb"])
def test_it_asserts_nothing_and_uses_the_public_names_only(name: str) -> None:
    lines = [line for cell in cells(name) for line in cell.splitlines()]
    assert [line for line in lines if line.lstrip().startswith("assert")] == []
    assert [line for line in lines if re.match(r"\s*(import|from) kit", line) and not _PUBLIC.match(line)] == []


@pytest.mark.slow
@pytest.mark.parametrize("shown", ["00_start.ipynb"], indirect=True)
def test_the_tour_shows_what_it_says(shown: dict[str, Any]) -> None:
    pl, cat, sales = shown["pl"], shown["cat"], shown["sales"]
    assert len(cat) >= 10
    assert {"orders.daily_sales", "demand.predicted_sales"} <= set(shown["found"])
    assert shown["entry"].port.passed >= 20
    assert sales.height > 7_000
    assert shown["by_department"]["department"][0] == "GROCERY"
    assert shown["baskets"]["mean_value"][1] > shown["baskets"]["mean_value"][0]
    assert shown["plain"].orders.daily_sales.read().collect().equals(sales)
    assert shown["again"].equals(sales)
    predicted = shown["predicted"]
    assert predicted.filter(pl.col("predicted_sales").is_between("lower", "upper")).height == predicted.height


@pytest.mark.slow
@pytest.mark.parametrize("shown", ["02_quality_and_lineage.ipynb"], indirect=True)
def test_the_evidence_is_what_the_notebook_says(shown: dict[str, Any]) -> None:
    pl, checks, chain = shown["pl"], shown["checks"], shown["chain"]
    assert checks.filter(pl.col("verdict") != "passed")["verdict"].to_list() == ["warned"]
    assert shown["oldest"].height == shown["history"]["rows"][-1]
    assert not shown["verdict"].passed
    failed = [check.rule for check in shown["verdict"].checks if check.blocks]
    assert any("unique" in rule for rule in failed)
    raw = chain.filter(pl.col("made_from").list.len() == 0)["table"].to_list()
    assert sorted(raw) == ["orders.raw.transactions", "products.raw.products"]
