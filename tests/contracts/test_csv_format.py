import json
from pathlib import Path
from typing import Any

import pytest

from kit.contracts.contract import Contract
from kit.contracts.csv_format import CsvFormat, csv_keys
from kit.core.errors import InvalidFile, KitError
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


def test_a_contract_declares_all_that_a_reader_of_the_files_has_to_know(tmp_path: Path) -> None:
    declared = {
        "delimiter": ";", "encoding": "latin-1", "headerLine": 3, "nullMarkers": ["NA", "-"], "decimalComma": True,
        "openEnd": True,
    }  # fmt: skip
    csv = loaded(tmp_path, declared).csv
    assert csv == CsvFormat(";", "latin-1", 3, ("NA", "-"), decimal_comma=True, open_end=True)
    assert csv.to_property() == {"property": "csv", "value": declared}
    assert CsvFormat(encoding="latin-1").to_keys() == {"encoding": "latin-1"}


def test_options_are_read_as_the_keys_of_a_contract() -> None:
    options = ["delimiter=;", "encoding=latin-1", "headerLine=3", "nullMarkers=NA,-", "decimalComma=true", "openEnd=false"]
    assert csv_keys(options) == {
        "delimiter": ";", "encoding": "latin-1", "headerLine": 3, "nullMarkers": ["NA", "-"],
        "decimalComma": True, "openEnd": False,
    }  # fmt: skip
    assert [csv_keys([f"delimiter={text}"])["delimiter"] for text in ("tab", "\\t", "=", "|")] == ["\t", "\t", "=", "|"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["latin-1"], "'latin-1' is not KEY=VALUE; keys: delimiter, encoding, headerLine, nullMarkers, decimalComma, openEnd"),
        (["coding=x"], "'coding=x' is not KEY=VALUE; keys: "),
        (["delimiter=;", "delimiter=,"], "delimiter is given twice; keep one"),
        (["headerLine=two"], "headerLine 'two' is not the number of a line from 1 to 1000"),
        (["headerLine=0"], "headerLine 0 is not the number of a line from 1 to 1000"),
        (["decimalComma=yes"], "decimalComma 'yes' is not true or false"),
        (["encoding=latin9"], "encoding 'latin9' is not one of utf-8, utf-16, "),
        (["nullMarkers="], "nullMarkers [''] is not a list of texts in quotes"),
    ],
)
def test_other_options_are_refused_with_what_is_allowed(options: list[str], says: str) -> None:
    with pytest.raises(KitError) as caught:
        csv_keys(options)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (";", "';' is not a mapping of some of delimiter, encoding, headerLine, nullMarkers, decimalComma, openEnd; write "),
        ({}, "{} is not a mapping of some of delimiter, "),
        ({"delimiter": ";", "quote": "x"}, "'quote': 'x'} is not a mapping of some of delimiter, "),
        ({"delimiter": ";", "encoding": "x"}, "encoding: csv: encoding 'x' is not one of utf-8, utf-16, "),
        ({"encoding": ["utf-8"]}, "encoding ['utf-8'] is not one of utf-8, "),
        ({"headerLine": True}, "headerLine True is not the number of a line from 1 to 1000"),
        ({"nullMarkers": [None]}, 'nullMarkers [None] is not a list of texts in quotes, such as ["NA", "-"]'),
        ({"nullMarkers": "NA"}, "nullMarkers 'NA' is not a list of texts in quotes"),
        ({"decimalComma": "yes"}, "decimalComma 'yes' is not true or false"),
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
