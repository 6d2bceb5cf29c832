from pathlib import Path
from typing import Any

import pytest

from kit.contracts.custom_properties import custom_property
from kit.core.errors import InvalidFile
from kit.core.yaml import Document

COLUMN = ["schema", 0, "properties", 2]


def read(owner: dict[str, Any], name: str = "mask") -> tuple[Any, Any]:
    where, value = custom_property(Document(Path("things.odcs.yaml"), "{}", {}), COLUMN, owner, name)
    return list(where), value


@pytest.mark.parametrize("owner", [{}, {"customProperties": None}, {"customProperties": [{"property": "other", "value": 1}]}])
def test_without_the_property_place_and_value_are_empty(owner: dict[str, Any]) -> None:
    assert read(owner) == ([], None)


def test_a_property_has_the_place_of_its_value() -> None:
    owner = {"customProperties": [{"property": "other", "value": 1}, {"property": "mask", "value": "hmac"}]}
    assert read(owner) == ([*COLUMN, "customProperties", 1, "value"], "hmac")


def test_a_property_without_a_value_is_there() -> None:
    assert read({"customProperties": [{"property": "mask"}]}) == ([*COLUMN, "customProperties", 0, "value"], None)


def test_a_property_is_written_once() -> None:
    twice = {"customProperties": [{"property": "mask", "value": "hmac"}, {"property": "mask", "value": "drop"}]}
    with pytest.raises(InvalidFile, match=r"schema\.0\.properties\.2\.customProperties\.1: 'mask' is written twice; keep one"):
        read(twice)
