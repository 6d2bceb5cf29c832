from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.contracts.contract import Column, Contract, Version
from kit.contracts.service_levels import Sla
from kit.core.errors import InvalidFile
from tests.support.edit import ABSENT
from tests.support.least_contract import FIRST, ITEM, TABLE, load

TYPES = (
    "bigint, blob, boolean, date, double, float, integer, json, smallint, time, timestamp, timestamp with time zone, "
    "tinyint, ubigint, uinteger, usmallint, utinyint, uuid, varchar, decimal(p,s), varchar(n), or one of these followed by []"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_least_contract_is_read_whole() -> None:
    assert load() == Contract(
        path=Path.cwd() / "sales.yaml",
        id="shop.sales",
        version=Version(1, 0, 0),
        table="sales",
        title="sales",
        description="One row per sale.",
        team="",
        columns=(
            Column("sale_id", "bigint", "integer", "", False, None),
            Column("item", "varchar", "string", "", False, None),
            Column("sold_on", "date", "date", "", False, None),
        ),
        key=(),
        rules=(),
        sla=Sla(),
        tags=(),
    )


def test_what_a_contract_says_beside_its_schema_is_read() -> None:
    contract = load(("name", "Sales of a day"), ("team", {"name": "Shop"}), ("tags", ["a", "b"]))
    assert (contract.title, contract.team, contract.tags) == ("Sales of a day", "Shop", ("a", "b"))


def test_a_team_of_the_older_form_has_no_name() -> None:
    assert load(("team", [{"username": "a@example.com"}])).team == ""


def test_a_column_says_what_it_is() -> None:
    changes = {"description": "Number.", "required": True, "classification": "personal", "physicalType": "LONG"}
    contract = load(*((f"{FIRST} {name}", value) for name, value in changes.items()))
    assert contract.columns[0] == Column("sale_id", "bigint", "integer", "Number.", True, "personal")


def test_a_key_is_ordered_by_its_positions_and_required() -> None:
    contract = load(
        (f"{FIRST} primaryKey", True),
        (f"{FIRST} primaryKeyPosition", 2),
        (f"{ITEM} primaryKey", True),
        (f"{ITEM} primaryKeyPosition", 1),
    )
    assert contract.key == ("item", "sale_id")
    assert [column.required for column in contract.columns] == [True, True, False]


def test_service_levels_are_spans_of_time() -> None:
    levels = [
        {"property": "latency", "value": 36, "unit": "h", "element": "sales.sold_on"},
        {"property": "frequency", "value": 0.5, "unit": "days"},
        {"property": "retention", "value": 2, "unit": "y"},
    ]
    assert load(("slaProperties", levels)).sla == Sla(
        latency=timedelta(hours=36),
        latency_column="sold_on",
        frequency=timedelta(hours=12),
        retention=timedelta(days=730, hours=12),
    )


def test_an_older_version_names_its_port() -> None:
    assert load().major_of is None
    assert load(("customProperties", [{"property": "majorOf", "value": "totals"}])).major_of == "totals"


# Each: what is wrong, where the sound contract is changed, to what, and the message after the file's name.
BAD: list[tuple[str, str, Any, str]] = [
    ("no version", "version", ABSENT, "1: the field 'version' is missing"),
    ("no id", "id", ABSENT, "1: the field 'id' is missing"),
    ("version of two parts", "version", "1.0", "5: version: '1.0' is not a version; write MAJOR.MINOR.PATCH such as 1.0.0"),
    ("version that is a number", "version", 1.5, "5: version: 1.5 is a number, not a text; put it in quotes"),
    (
        "version with a leading zero",
        "version",
        "1.02.0",
        "5: version: '1.02.0' is not a version; write MAJOR.MINOR.PATCH such as 1.0.0",
    ),
    ("other kind", "kind", "DataProduct", "3: kind: 'DataProduct' is not 'DataContract', the only allowed value"),
    (
        "unknown standard",
        "apiVersion",
        "v9",
        ("2: apiVersion: 'v9' is not one of v3.2.0, v3.1.0, v3.0.2, v3.0.1, v3.0.0, v2.2.2, v2.2.1, v2.2.0"),
    ),
    (
        "unknown field at the top",
        "owner",
        "me",
        (
            "30: owner: there is no field 'owner'; there are: apiVersion, authoritativeDefinitions, context, "
            "contractCreatedTs, customProperties, dataProduct, description, domain, id, kind, name, price, roles, schema, "
            "servers, slaDefaultElement, slaProperties, status, support, tags, team, tenant, version"
        ),
    ),
    ("no schema", "schema", ABSENT, "1: schema: describes 0 tables; a contract of this mesh describes exactly one"),
    ("no table", "schema", [], "7: schema: describes 0 tables; a contract of this mesh describes exactly one"),
    ("schema that is text", "schema", "sales", "7: schema: 'sales' is a text, not a list; write [sales]"),
    (
        "two tables",
        "schema 1",
        {"name": "more"},
        "7: schema: describes 2 tables; a contract of this mesh describes exactly one",
    ),
    ("table without a name", f"{TABLE} name", ABSENT, "8: schema.0: the field 'name' is missing"),
    (
        "table name with a capital",
        f"{TABLE} name",
        "Sales",
        "9: schema.0.name: 'Sales' is not a name; use a-z, 0-9 and _, a letter first, at most 63",
    ),
    (
        "table without a description",
        f"{TABLE} description",
        ABSENT,
        "8: schema.0: 'sales' has no description; say what one row is",
    ),
    ("table without columns", f"{TABLE} properties", ABSENT, "8: schema.0: 'sales' has no properties; list every column"),
    (
        "table with an empty list of columns",
        f"{TABLE} properties",
        [],
        "8: schema.0: 'sales' has no properties; list every column",
    ),
    (
        "unknown field of a table",
        f"{TABLE} colour",
        "red",
        "28: schema.0.colour: there is no field 'colour'; there are: authoritativeDefinitions, businessName, context, "
        "customProperties, dataGranularityDescription, deprecated, description, id, logicalType, name, physicalName, "
        "physicalType, properties, quality, relationships, synonyms, tags",
    ),
    ("column without a name", f"{FIRST} name", ABSENT, "12: schema.0.properties.0: the field 'name' is missing"),
    (
        "column name that is quoted SQL",
        f"{FIRST} name",
        'a" or 1',
        ("13: schema.0.properties.0.name: 'a\" or 1' is not a name; use a-z, 0-9 and _, a letter first, at most 63"),
    ),
    (
        "column name of 64 characters",
        f"{FIRST} name",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        (
            "13: schema.0.properties.0.name: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' "
            "is not a name; use a-z, 0-9 and _, a letter first, at most 63"
        ),
    ),
    ("column twice", f"{ITEM} name", "sale_id", "11: schema.0.properties: the column 'sale_id' is written twice; keep one"),
    (
        "no logical type",
        f"{FIRST} logicalType",
        ABSENT,
        (
            "12: schema.0.properties.0: 'sale_id' has no logicalType; use one of string, integer, number, "
            "boolean, date, timestamp, time, object, array"
        ),
    ),
    (
        "unknown logical type",
        f"{FIRST} logicalType",
        "int",
        (
            "14: schema.0.properties.0.logicalType: 'int' is not one of string, date, timestamp, time, "
            "number, integer, object, array, boolean, map, vector; did you mean 'integer'?"
        ),
    ),
    (
        "no physical type",
        f"{FIRST} physicalType",
        ABSENT,
        ("12: schema.0.properties.0: 'sale_id' has no physicalType; write its column type such as varchar or bigint"),
    ),
    (
        "unknown physical type",
        f"{FIRST} physicalType",
        "money",
        f"15: schema.0.properties.0.physicalType: 'money' is not a column type; use one of {TYPES}",
    ),
    (
        "decimal without digits",
        f"{FIRST} physicalType",
        "decimal",
        f"15: schema.0.properties.0.physicalType: 'decimal' is not a column type; use one of {TYPES}",
    ),
    (
        "decimal wider than 38",
        f"{FIRST} physicalType",
        "decimal(39,2)",
        f"15: schema.0.properties.0.physicalType: 'decimal(39,2)' is not a column type; use one of {TYPES}",
    ),
    (
        "type that is a number",
        f"{FIRST} physicalType",
        8,
        "15: schema.0.properties.0.physicalType: 8 is a number, not a text; put it in quotes",
    ),
    (
        "unknown field of a column",
        f"{FIRST} requred",
        False,
        "16: schema.0.properties.0.requred: there is no field 'requred'; did you mean 'required'?",
    ),
    (
        "required that is text",
        f"{FIRST} required",
        "yes",
        "16: schema.0.properties.0.required: 'yes' is a text, not a boolean (true or false)",
    ),
    (
        "unknown classification",
        f"{FIRST} classification",
        "secret",
        ("16: schema.0.properties.0.classification: 'secret' is not one of public, internal, confidential, personal"),
    ),
    (
        "unknown service level",
        "slaProperties",
        [{"property": "availability", "value": 99}],
        (
            "32: slaProperties.0.property: 'availability' cannot be measured; "
            "there are: latency, frequency, retention, endOfLife"
        ),
    ),
    (
        "service level without a value",
        "slaProperties",
        [{"property": "latency"}],
        "31: slaProperties.0: the field 'value' is missing",
    ),
    (
        "service level without a unit",
        "slaProperties",
        [{"property": "frequency", "value": 1}],
        ("31: slaProperties.0: frequency is 1 without unit; give a number above 0 and a unit: h, d, w or y, at most 1000 y"),
    ),
    (
        "service level in minutes",
        "slaProperties",
        [{"property": "frequency", "value": 30, "unit": "m"}],
        ("31: slaProperties.0: frequency is 30 m; give a number above 0 and a unit: h, d, w or y, at most 1000 y"),
    ),
    (
        "service level of nothing",
        "slaProperties",
        [{"property": "frequency", "value": 0, "unit": "d"}],
        ("31: slaProperties.0: frequency is 0 d; give a number above 0 and a unit: h, d, w or y, at most 1000 y"),
    ),
    (
        "service level in text",
        "slaProperties",
        [{"property": "frequency", "value": "1", "unit": "d"}],
        ("31: slaProperties.0: frequency is '1' d; give a number above 0 and a unit: h, d, w or y, at most 1000 y"),
    ),
    (
        "service level that is true",
        "slaProperties",
        [{"property": "frequency", "value": True, "unit": "d"}],
        ("31: slaProperties.0: frequency is True d; give a number above 0 and a unit: h, d, w or y, at most 1000 y"),
    ),
    (
        "service level beyond all time",
        "slaProperties",
        [{"property": "retention", "value": 1000000000000, "unit": "y"}],
        ("31: slaProperties.0: retention is 1000000000000 y; give a number above 0 and a unit: h, d, w or y, at most 1000 y"),
    ),
    (
        "service level twice",
        "slaProperties",
        [{"property": "retention", "value": 1, "unit": "y"}, {"property": "retention", "value": 2, "unit": "y"}],
        "36: slaProperties.1: retention is written twice; keep one",
    ),
    (
        "latency of another table",
        "slaProperties",
        [{"property": "latency", "value": 1, "unit": "d", "element": "orders.sold_on"}],
        (
            "35: slaProperties.0.element: 'orders.sold_on' is not a date or timestamp of 'sales'; there are: "
            "sold_on; write sales.COLUMN"
        ),
    ),
    (
        "latency of an unknown column",
        "slaProperties",
        [{"property": "latency", "value": 1, "unit": "d", "element": "sales.sold_at"}],
        (
            "35: slaProperties.0.element: 'sales.sold_at' is not a date or timestamp of 'sales'; there are: "
            "sold_on; write sales.COLUMN"
        ),
    ),
    (
        "latency of a text column",
        "slaProperties",
        [{"property": "latency", "value": 1, "unit": "d", "element": "sales.item"}],
        (
            "35: slaProperties.0.element: 'sales.item' is not a date or timestamp of 'sales'; there are: "
            "sold_on; write sales.COLUMN"
        ),
    ),
    ("tags that are text", "tags", "a", "30: tags: 'a' is a text, not a list; write [a]"),
]


@pytest.mark.parametrize(("where", "value", "problem"), [pytest.param(*case, id=name) for name, *case in BAD])
def test_a_bad_contract_is_refused_with_line_field_value_and_what_is_allowed(where: str, value: Any, problem: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        load((where, value))
    assert str(caught.value) == f"sales.yaml:{problem}"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.2.3", Version(1, 2, 3)),
        ("0.0.0", Version(0, 0, 0)),
        ("10.20.30", Version(10, 20, 30)),
        ("1.2", None),
        ("1.2.3.4", None),
        ("v1.2.3", None),
        ("1.2.3-rc1", None),
        ("01.2.3", None),
        ("1.2.3\n", None),
        ("1.2.\u0663", None),
        ("1.2." + "9" * 5000, None),
        (1.2, None),
        (None, None),
    ],
)
def test_a_version_is_three_plain_numbers(text: object, version: Version | None) -> None:
    assert Version.parse(text) == version


@given(st.tuples(*[st.integers(0, 999_999_999)] * 3))
def test_a_version_is_read_as_it_is_written(parts: tuple[int, int, int]) -> None:
    assert Version.parse(str(Version(*parts))) == Version(*parts)


def test_versions_are_ordered_by_number() -> None:
    texts = ["1.10.0", "1.0.10", "0.9.0", "1.2.0", "1.0.2", "1.0.0"]
    versions = [version for text in texts if (version := Version.parse(text))]
    assert [str(version) for version in sorted(versions)] == ["0.9.0", "1.0.0", "1.0.2", "1.0.10", "1.2.0", "1.10.0"]


@pytest.mark.parametrize(
    ("offered", "wanted", "serves"),
    [
        ("1.2.3", "1.2.3", True),
        ("1.3.0", "1.2.3", True),
        ("1.2.2", "1.2.3", False),
        ("1.1.9", "1.2.3", False),
        ("2.0.0", "1.2.3", False),
        ("0.9.0", "1.2.3", False),
    ],
)
def test_a_version_serves_those_who_want_it_or_an_older_one_of_its_major(offered: str, wanted: str, serves: bool) -> None:
    have, want = Version.parse(offered), Version.parse(wanted)
    assert have
    assert want
    assert have.serves(want) is serves
