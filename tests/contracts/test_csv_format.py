import json
from pathlib import Path
from typing import Any

import pytest

from kit.contracts.contract import Contract
from kit.contracts.csv_format import CsvFormat
from kit.core.errors import InvalidFile
from tests.support.small_mesh import contract, write


def loaded(folder: Path, *values: Any, columns: list[tuple[str, str, dict[str, Any]]] | None = None) -> Contract:
    data = json.loads(contract("shop.raw.feed", "feed", columns or [("code", "varchar", {})]))
    data["customProperties"] = [{"property": "csv", "value": value} for value in values]
    write(folder / "feed.odcs.yaml", json.dumps(data, indent=1))
    return Contract.load(folder / "feed.odcs.yaml")


def test_a_contract_declares_the_delimiter(tmp_path: Path) -> None:
    assert loaded(tmp_path).csv == CsvFormat(",")
    for delimiter in (";", "\t", "|", " "):
        assert loaded(tmp_path, CsvFormat(delimiter).to_property()["value"]).csv == CsvFormat(delimiter)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (";", "';' is not a mapping with the key delimiter"),
        ({}, "{} is not a mapping with the key delimiter"),
        ({"delimiter": ";", "encoding": "x"}, "'encoding': 'x'} is not a mapping with the key delimiter"),
        ({"delimiter": ""}, "delimiter '' is not one ASCII character"),
        ({"delimiter": "||"}, "delimiter '||' is not one ASCII character"),
        ({"delimiter": '"'}, "delimiter '\"' is not one ASCII character"),
        ({"delimiter": "\n"}, "delimiter '\\n' is not one ASCII character"),
        ({"delimiter": "§"}, "delimiter '§' is not one ASCII character"),
        ({"delimiter": 1}, "delimiter 1 is not one ASCII character"),
    ],
)
def test_another_declaration_is_refused(tmp_path: Path, value: Any, says: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        loaded(tmp_path, value)
    assert "feed.odcs.yaml:" in str(caught.value)
    assert "customProperties.0.value" in str(caught.value)
    assert says in str(caught.value)


def test_a_format_is_declared_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"customProperties\.1: 'csv' is written twice"):
        loaded(tmp_path, {"delimiter": ";"}, {"delimiter": ";"})


def test_a_column_has_a_name_of_its_own_in_the_raw_data(tmp_path: Path) -> None:
    columns = [("code", "varchar", {"physicalName": "Code Nr."}), ("day", "date", {})]
    assert [column.physical_name for column in loaded(tmp_path, columns=columns).columns] == ["Code Nr.", ""]
    with pytest.raises(InvalidFile, match=r"schema.0.properties: 'day' is the physicalName of more than one column"):
        loaded(tmp_path, columns=[("code", "varchar", {"physicalName": "day"}), ("day", "date", {})])
