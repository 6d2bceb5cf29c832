import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from kit.contracts.contract import Contract
from kit.contracts.service_levels import Sla, max_row_loss, read_sla
from kit.core.errors import InvalidFile
from kit.core.yaml import Document
from tests.support.edit import edited
from tests.support.small_mesh import contract, write

END = {"property": "endOfLife", "value": "2024-03-31"}


def load(tmp_path: Path, *edits: tuple[str, Any]) -> Contract:
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


@pytest.mark.parametrize(
    ("edits", "problem"),
    [
        ([("status", "live")], "6: status: 'live' is not one of proposed, draft, active, deprecated, retired"),
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
def test_a_last_day_that_cannot_be_meant_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edits: list[tuple[str, Any]], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidFile) as caught:
        load(tmp_path, *edits)
    assert str(caught.value) == f"sales.yaml:{problem}"


def share(*values: Any) -> float | None:
    data = {"customProperties": [{"property": "maxRowLoss", "value": value} for value in values]}
    return max_row_loss(Document(Path("things.odcs.yaml"), "{}", data))


def test_the_share_a_contract_says() -> None:
    assert [share(), share(0), share(0.25), share(1)] == [None, 0, 0.25, 1]


@pytest.mark.parametrize("value", [True, -0.1, 1.5, 50, "0.5", None])
def test_what_is_no_share_is_refused(value: Any) -> None:
    with pytest.raises(InvalidFile, match=f"maxRowLoss: {value!r} is not a share from 0 to 1 such as 0.5"):
        share(value)


def levels(*items: dict[str, Any], dated: tuple[str, ...] = ("sold_on",), masked: tuple[str, ...] = ()) -> Sla:
    return read_sla(Document(Path("things.odcs.yaml"), "{}", {"slaProperties": list(items)}), "sales", dated, masked)


@pytest.mark.parametrize(
    ("value", "unit", "hours"),
    [(36, "h", 36), (0.5, "days", 12), (2, "w", 336), (1, "yr", 8766), (1000, "y", 8_766_000)],
)
def test_a_service_level_is_a_span_of_time(value: float, unit: str, hours: int) -> None:
    assert levels({"property": "frequency", "value": value, "unit": unit}) == Sla(frequency=timedelta(hours=hours))


def test_latency_is_that_of_a_column() -> None:
    latency = {"property": "latency", "value": 36, "unit": "h", "element": "sales.sold_on"}
    retention = {"property": "retention", "value": 1, "unit": "w"}
    assert levels() == Sla()
    assert levels(latency, retention, END) == Sla(timedelta(hours=36), "sold_on", None, timedelta(days=7))
    assert levels({"property": "latency", "value": 2, "unit": "d"}) == Sla(timedelta(days=2))  # by the delivery of its sources
    with pytest.raises(InvalidFile, match=r"'sales\.sold_on' is not a date or timestamp of 'sales'; there are: none; write"):
        levels(latency, dated=())
    with pytest.raises(InvalidFile, match=r"'sales\.sold_on' is masked, so that readers cannot see its age"):
        levels(latency, masked=("sold_on",))
