import copy
import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jsonschema.exceptions import ValidationError, relevance

from kit.contracts import loader
from kit.core.errors import InvalidFile, KitError
from kit.core.yaml import Document
from tests.support.small_mesh import contract, valid

CONTRACT: dict[str, Any] = json.loads(
    contract(
        "shop.sales",
        "sales",
        [
            ("sale_id", "bigint", {"primaryKey": True, "quality": [valid("tea")], "tags": ["a"]}),
            ("items", "json", {"logicalType": "array", "items": {"logicalType": "string", "physicalType": "varchar"}}),
            ("note", "json", {"logicalType": "object", "properties": [{"name": "a", "logicalType": "string"}]}),
        ],
        [{"type": "sql", "query": "select 1", "mustBe": 1}],
    )
) | {
    "team": {"name": "Shop", "members": [{"username": "a"}]},
    "roles": [{"role": "reader"}],
    "servers": [{"server": "here", "type": "duckdb", "database": "a"}],
}
NAMES = ["unknown", "name", "type", "items", "properties", "logicalType", "quality", "metric", "mustBe", "tags", "members"]
VALUES: list[Any] = [None, 1, "text", "array", "integer", True, {}, [], [1], {"unknown": 1}, [{"name": "a"}], [{"unknown": 1}]]


def parts(data: Any) -> list[Any]:
    """All mappings and lists in nested data."""
    found = [data] if isinstance(data, dict | list) else []
    for value in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        found += parts(value)
    return found


def spoilt(seed: int) -> dict[str, Any]:
    """The contract with one to three of its fields set, added or taken out by chance."""
    chance = random.Random(seed)
    data = copy.deepcopy(CONTRACT)
    for _ in range(chance.randint(1, 3)):
        part = chance.choice(parts(data))
        value = copy.deepcopy(chance.choice(VALUES))
        if isinstance(part, list):
            part[:1] = [value]
            continue
        name = chance.choice([*NAMES, *part])
        part[name] = value
        if chance.random() < 0.2:
            del part[name]
    return data


def message(data: dict[str, Any]) -> str | None:
    try:
        loader.check_schema(Document(Path("a.yaml"), json.dumps(data), data), "odcs")
    except InvalidFile as error:
        return str(error)
    return None


def plainly(data: dict[str, Any], validator: Any) -> ValidationError | None:
    """The violation that the standard's own JSON schema finds."""
    errors = list(validator.iter_errors(data))
    return max([error for error in errors if error.validator != "unevaluatedProperties"] or errors, key=relevance, default=None)


def test_looking_for_unknown_properties_only_where_there_may_be_any_misses_none() -> None:
    validator = jsonschema.Draft201909Validator(json.loads(loader.contract_schema().read_bytes()))
    refused = 0
    for seed in range(150):
        data = spoilt(seed)
        expected, found = plainly(data, validator), loader.violation(data, "odcs")
        assert (found is None) == (expected is None), data
        if expected and found:
            assert found.validator == expected.validator
            if found.validator != "unevaluatedProperties":
                assert found.absolute_path == expected.absolute_path
            refused += 1
    assert 75 < refused < 150


@pytest.mark.parametrize("where", [[], ["schema", 0], ["schema", 0, "properties", 0], ["schema", 0, "properties", 1, "items"]])
def test_an_unknown_property_is_refused_wherever_it_stands(where: list[str | int]) -> None:
    data = part = copy.deepcopy(CONTRACT)
    for name in where:
        part = part[name]
    part["unknown"] = 1
    place = ".".join(map(str, [*where, "unknown"]))
    assert f"a.yaml:1: {place}: there is no field 'unknown'; there are: " in (message(data) or "")
    del part["unknown"]
    assert message(data) is None


def test_a_missing_standard_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "find_spec", lambda name: None)
    with pytest.raises(KitError) as caught:
        loader.contract_schema()
    assert str(caught.value) == "the package 'open-data-contract-standard' is not installed; run `make install`"
