from pathlib import Path
from typing import Any

import pytest

from kit.contracts.contract import Contract
from kit.contracts.masks import Mask
from kit.core.errors import InvalidFile
from tests.support.small_mesh import contract, write


def masked(value: Any, **more: Any) -> dict[str, Any]:
    return {"customProperties": [{"property": "mask", "value": value}], **more}


def load(folder: Path, *columns: tuple[str, str, dict[str, Any]], sla: list[dict[str, Any]] = ()) -> Contract:
    path = folder / "people.odcs.yaml"
    write(path, contract("shop.people", "people", [("shop_id", "bigint", {}), *columns], sla=sla))
    return Contract.load(path)


def problem(folder: Path, kind: str, value: Any, **more: Any) -> str:
    with pytest.raises(InvalidFile) as caught:
        load(folder, ("mail", kind, masked(value, **more)))
    return str(caught.value).partition(".value")[2]


def test_a_column_is_masked_in_one_of_four_ways(tmp_path: Path) -> None:
    found = load(
        tmp_path, ("a", "varchar", masked("hmac", primaryKey=True)), ("b", "bigint", masked("hmac")),
        ("c", "json", masked("drop")), ("d", "date", masked("inherited")), ("e", "date", masked({"generalise": "month"})),
        ("f", "timestamp", masked({"generalise": "hour"})), ("g", "integer", masked({"generalise": 10})),
        ("h", "decimal(10,2)", masked({"generalise": 2.5})), ("i", "varchar", masked({"generalise": 3})),
    )  # fmt: skip
    assert [column.mask for column in found.columns] == [
        None, Mask("hmac"), Mask("hmac"), Mask("drop"), Mask("inherited"), Mask("generalise", "month"),
        Mask("generalise", "hour"), Mask("generalise", 10), Mask("generalise", 2.5), Mask("generalise", 3),
    ]  # fmt: skip
    assert [column.name for column in found.columns if column.mask and not column.mask.applies] == ["d"]


def test_what_cannot_be_applied_is_refused(tmp_path: Path) -> None:
    kinds = "there are: hmac, drop, inherited, or {generalise: …}"
    assert problem(tmp_path, "varchar", "sha256") == f": 'sha256' is no mask; {kinds}"
    assert problem(tmp_path, "varchar", {"hash": "md5"}) == f": {{'hash': 'md5'}} is no mask; {kinds}"
    assert problem(tmp_path, "date", "hmac") == ": 'mail' is date; hmac masks varchar and bigint, others can be generalised"
    no_unit = "is no unit a date is generalised to; there are: year, quarter, month, week"
    assert problem(tmp_path, "date", {"generalise": "hour"}) == f".generalise: 'hour' {no_unit}"
    no_width = "is no width of a bucket of bigint; use a number above 0"
    assert problem(tmp_path, "bigint", {"generalise": 0.5}) == f".generalise: 0.5 {no_width}"
    assert problem(tmp_path, "bigint", {"generalise": True}) == f".generalise: True {no_width}"
    no_count = "is no number of first characters; use a whole number from 1"
    assert problem(tmp_path, "varchar", {"generalise": "month"}) == f".generalise: 'month' {no_count}"
    assert problem(tmp_path, "uuid", {"generalise": 1}) == ": a uuid cannot be generalised; drop it"


def test_a_mask_must_leave_the_contract_true(tmp_path: Path) -> None:
    dropped = ": 'mail' is required and cannot be dropped; make it optional, or use hmac"
    assert problem(tmp_path, "varchar", "drop", required=True) == dropped
    assert problem(tmp_path, "varchar", {"generalise": 2}, primaryKey=True).startswith(": 'mail' is in the key, ")
    latency = {"property": "latency", "value": 1, "unit": "d", "element": "people.seen_at"}
    with pytest.raises(InvalidFile, match=r"'people\.seen_at' is masked, so that readers cannot see its age"):
        load(tmp_path, ("seen_at", "timestamp", masked({"generalise": "day"})), sla=[latency])


def test_a_column_has_one_mask(tmp_path: Path) -> None:
    two = {"customProperties": [{"property": "mask", "value": "hmac"}, {"property": "mask", "value": "drop"}]}
    with pytest.raises(InvalidFile, match=r"customProperties\.1: 'mask' is written twice"):
        load(tmp_path, ("mail", "varchar", two))
