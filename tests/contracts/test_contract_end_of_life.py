from datetime import date
from pathlib import Path
from typing import Any

import pytest

from kit.contracts.contract import Contract
from kit.core.errors import InvalidFile
from tests.support.edit import edited
from tests.support.small_mesh import contract, write

END = {"property": "endOfLife", "value": "2024-03-31"}


def load(tmp_path: Path, *edits: tuple[str, Any]) -> Contract:
    import json

    data = json.loads(contract("shop.sales", "sales", [("sale_id", "bigint", {})]))
    for where, value in edits:
        data = edited(data, where, value)
    path = tmp_path / "sales.yaml"
    write(path, json.dumps(data, indent=1))
    return Contract.load(path)


def test_a_deprecated_contract_has_a_last_day(tmp_path: Path) -> None:
    assert load(tmp_path).end_of_life is None
    found = load(tmp_path, ("status", "deprecated"), ("slaProperties 1", END))
    assert (found.end_of_life, found.major_of, found.sla.frequency is not None) == (date(2024, 3, 31), None, True)


def test_an_older_version_names_its_port(tmp_path: Path) -> None:
    found = load(tmp_path, ("customProperties", [{"property": "majorOf", "value": "totals"}]))
    assert found.major_of == "totals"


@pytest.mark.parametrize(
    ("edits", "problem"),
    [
        (
            [("status", "deprecated")],
            "6: status: 'deprecated' needs a last day; write slaProperties: [{property: endOfLife, value: 2030-12-31}]",
        ),
        ([("slaProperties 1", END)], "29: slaProperties.1: 'active' contracts have no endOfLife; write status: deprecated"),
        (
            [("status", "deprecated"), ("slaProperties 1", {**END, "value": "next spring"})],
            "31: slaProperties.1.value: 'next spring' is no day; write one such as 2030-12-31",
        ),
        (
            [("status", "deprecated"), ("slaProperties 1", {**END, "value": "20240331"})],
            "31: slaProperties.1.value: '20240331' is no day; write one such as 2030-12-31",
        ),
        (
            [("status", "deprecated"), ("slaProperties 1", END), ("slaProperties 2", END)],
            "33: slaProperties.2: endOfLife is written twice; keep one",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edits: list[tuple[str, Any]], problem: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidFile) as caught:
        load(tmp_path, *edits)
    assert str(caught.value) == f"sales.yaml:{problem}"
