from pathlib import Path
from typing import Any

import pytest

from kit.contracts.contract import Contract
from kit.contracts.protection import hides_less, weakened
from tests.support.contracts import contract
from tests.support.files import write


def _contract(folder: Path, **fields: Any) -> Contract:
    path = folder / "people.odcs.yaml"
    write(path, contract("club.people", "people", [("id", "bigint", {}), ("email", "varchar", fields)]))
    return Contract.load(path)


def _mask(value: Any) -> dict[str, Any]:
    return {"customProperties": [{"property": "mask", "value": value}]}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"classification": "personal"}, {"classification": "public"}, ["classification personal → public"]),
        ({"classification": "internal"}, {}, ["classification internal → none"]),
        ({"classification": "public"}, {"classification": "personal"}, []),
        (_mask("hmac"), {}, ["mask hmac → none"]),
        (_mask("drop"), _mask("hmac"), ["mask drop → hmac"]),
        (_mask("hmac"), _mask({"generalise": 1}), ["mask hmac → generalise 1"]),
        (_mask("hmac"), _mask("inherited"), []),
        (_mask({"generalise": 1}), _mask("drop"), []),
    ],
)
def test_what_protects_a_column_less_is_named(tmp_path: Path, old: Any, new: Any, found: list[str]) -> None:
    before, after = _contract(tmp_path, **old), _contract(tmp_path, **new)
    assert list(weakened(before, after)) == [("email", text) for text in found]


def test_no_mask_hides_less_than_any_and_none_is_wanted_of_nothing() -> None:
    assert hides_less(None, "generalise")
    assert not hides_less(None, None)
