"""Contracts, published rows and changes as another tool sees them: datacontract-cli, which knows nothing of the kit."""

import json
from functools import reduce
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kit.build import masking
from kit.contracts.compatibility import compare
from kit.contracts.contract import Contract
from kit.core.yaml import read_yaml
from kit.quality import quarantine
from kit.quality.quarantine import SplitFile
from tests.contracts.test_compatibility import BASE, CASES, DAY, SALE, TABLE, load
from tests.support.contracts import contract
from tests.support.edit import edited
from tests.support.judging import ask, contracts, failed, needs_judge
from tests.support.small_mesh import SmallMesh

pytestmark = [pytest.mark.slow, needs_judge]

# What is done to the published sales, and what must be seen of it.
SABOTAGE: dict[str, tuple[str, list[str]]] = {
    "an item gone": (
        "select * replace (nullif(item, 'cake') as item) from given",
        ["Check that field item has no missing values"],
    ),
    "a sale sent twice": (
        "from given union all (from given where sale_id = 7)",
        ["Check that primary key field sale_id has no duplicate values"],
    ),
    "a sale below zero": (
        "select * replace (if(sale_id = 7, -0.01, amount)::decimal(10,2) as amount) from given",
        ["Check that field amount has a minimum of 0"],
    ),
    "an unknown item": (
        "select * replace (if(sale_id = 7, 'pie', item) as item) from given",
        ["Check that field item has invalid_count = 0"],
    ),
    "numbers as text": (
        "select * replace (sale_id::varchar as sale_id) from given",
        ["Check that field sale_id has type integer"],
    ),
    "a file cut short": ("from given limit 5", ["Check that model sales has row_count between 20 and 100"]),
    "a column less": (
        "select * exclude (sold_on) from given",
        [
            "Check that field 'sold_on' is present",
            "Check that field sold_on has type date",
            "Check that field sold_on has no missing values",
        ],
    ),
}

# Rows that break the rule of `age` are set aside; the two masked columns are published as something else.
PEOPLE = [
    ("id", "bigint", {"required": True, "primaryKey": True}),
    ("mail", "varchar", {"required": True, "logicalTypeOptions": {"pattern": ".+@.+"},
                         "customProperties": [{"property": "mask", "value": "hmac"}]}),
    ("born", "date", {"logicalTypeOptions": {"minimum": "1950-05-01"},
                      "customProperties": [{"property": "mask", "value": {"generalise": "year"}}]}),
    ("age", "bigint", {"logicalTypeOptions": {"minimum": 0, "maximum": 120},
                       "customProperties": [{"property": "onFailure", "value": "quarantine"}]}),
]  # fmt: skip

# What is changed: all that tests/test_evolution.py changes, and what the judge is known to see in its own way.
SHARE = edited(BASE, f"{TABLE} quality 1", {
    "name": "share", "type": "sql", "mustBeLessThan": 5, "query": "select 100 * avg(amount) from ${table}",
})  # fmt: skip
KEY = edited(edited(BASE, f"{DAY} primaryKey", True), f"{DAY} primaryKeyPosition", 2)
WARNED = edited(BASE, f"{TABLE} quality 0 severity", "warning")
CHANGES = {name: (BASE, reduce(lambda data, change: edited(data, *change), case[0], BASE)) for name, case in CASES.items()}
CHANGES |= {
    "the threshold of a query": (SHARE, edited(SHARE, f"{TABLE} quality 1 mustBeLessThan", 4)),
    "the order of the key": (KEY, edited(edited(KEY, f"{SALE} primaryKeyPosition", 2), f"{DAY} primaryKeyPosition", 1)),
    "the range of a rule that only warns": (WARNED, edited(WARNED, f"{TABLE} quality 0 mustBeBetween", [50, 100])),
}

# Where the two part: the kit's verdicts there and back, the judge's, and why the kit keeps to its own.
MINOR, MAJOR, WORDS = ("minor", "major"), ("major", "minor"), ("patch", "patch")
DIFFER = {
    "a share of nulls for required": (
        MAJOR, ("major", "major"), "it sees one rule gone and another one come; that all of them are there says more than most",
    ),
    "one value for another": (
        ("major", "major"), ("review", "review"), "it leaves open what a new value is to readers; it is one they do not know",
    ),
    "rows set aside": (MAJOR, WORDS, "it does not know of rows set aside, which readers had and have no more"),
    "a mask": (("major", "major"), WORDS, "it does not know of masks; other values join with nothing that readers have"),
    "another expectation": (MINOR, WORDS, "it cannot run expectations of Great Expectations, so that they promise nothing"),
    "latency": (MINOR, WORDS, "of service levels it knows freshness only, which is not in the standard"),
    "frequency": (MINOR, WORDS, "as with latency"),
    "retention": (MINOR, WORDS, "as with latency"),
    "no retention": (MAJOR, WORDS, "as with latency"),
    "a deprecation": (("patch", "minor"), WORDS, "it does not know of a last day; one that is taken back promises more time"),
    "a withdrawal": (("major", "patch"), WORDS, "it does not know that a draft is offered to no other product"),
    "classification": (("review", "review"), WORDS, "the rows are the same; who may see them is for a person to weigh"),
    "the threshold of a query": (
        ("review", "review"), MINOR, "the kit does not take a query apart: what its threshold means hangs on what it counts",
    ),
    "the range of a rule that only warns": (MINOR, WORDS, "a warning fails nothing, but readers are told by it all the same"),
}  # fmt: skip


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All that is asked of the judge, in one go."""
    folder = tmp_path_factory.mktemp("judge")
    small = SmallMesh(folder / "mesh")
    small.need([("item", "varchar", {"required": True}), ("amount", "decimal(18,2)", {"required": True})])
    for name in ("shop", "plan"):
        small.publish(name)
    tables = {port.id: files(small, port.id) for port in small.mesh.ports}
    tables["raw.sales"] = tables["shop.sales"]
    tests = {port.id: (port.id.partition(".")[0], read_yaml(port.contract.path).data) for port in small.mesh.ports}
    tests |= {path.name: (path.name.partition(".")[0], read_yaml(path).data) for path in small.domains.glob("*/consumes/*")}
    given = duckdb.read_parquet(tables["shop.sales"])
    for position, (name, (query, _)) in enumerate(SABOTAGE.items()):
        path = folder / f"{position}.parquet"
        given.query("given", query).write_parquet(str(path))
        tables[f"sabotage_{position}.sales"] = [str(path)]
        tests[name] = (f"sabotage_{position}", tests["shop.sales"][1])
    data = json.loads(contract("shop.people", "people", PEOPLE))
    tables["shop.people"] = [str(published(data, folder))]
    tests |= {"people": ("shop", data), "people as they are seen": ("shop", as_seen(data))}
    return ask({
        "lint": [str(path) for path in contracts(small.mesh, "shop", "plan")],
        "tables": tables,
        "test": tests,
        "compare": CHANGES | {f"{name}, back": (new, old) for name, (old, new) in CHANGES.items()},
    })  # fmt: skip


def files(small: SmallMesh, port: str) -> list[str]:
    product, _, name = port.partition(".")
    snapshot = small.store.current(product)
    assert snapshot is not None
    return [str(path) for path in snapshot.files(name)]


def published(data: dict[str, Any], folder: Path) -> Path:
    """What a build publishes of six people, one of whom is 300 years old."""
    path = folder / "people.odcs.yaml"
    path.write_text(
        json.dumps(
            {**data, "customProperties": [*data.get("customProperties", ()), {"property": "quarantineLimit", "value": 0.5}]}
        )
    )
    people = Contract.load(path)
    duckdb.sql(
        "select id, id || '@example.com' as mail, date '1950-05-01' as born, if(id = 3, 300, 70)::bigint as age "
        "from range(6) as six(id)"
    ).write_parquet(str(folder / "people.parquet"))
    part = SplitFile(folder / "stays.parquet", folder / "aside.parquet")
    rest = quarantine.set_aside(people, folder / "people.parquet", {}, part)
    masking.write(people, rest, folder / "masked.parquet", b"a key for tests only")
    return folder / "masked.parquet"


def as_seen(data: dict[str, Any]) -> Any:
    """A contract without the rules on masked columns, which are about the real values."""
    for position, column in enumerate(data["schema"][0]["properties"]):
        if any(item["property"] == "mask" for item in column.get("customProperties", ())):
            data = edited(data, f"schema 0 properties {position} logicalTypeOptions", {})
    return data


def test_every_contract_is_in_form(answer: Any) -> None:
    assert len(answer["lint"]) == 5
    assert {path: says for path, says in answer["lint"].items() if says} == {}


def test_what_is_published_keeps_its_contract_and_what_consumers_need(answer: Any) -> None:
    names = [name for name in answer["test"] if name not in SABOTAGE and "people" not in name]
    assert len(names) == 4
    assert {name: says for name in names if (says := failed(answer, name))} == {}
    kinds = {kind for name in names for kind, _, _ in answer["test"][name]}
    assert kinds == {
        "field_is_present", "field_type", "field_required", "field_primary_key_unique", "field_minimum", "field_maximum",
        "field_invalid_values", "row_count", "model_quality_sql",
    }  # fmt: skip


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_sabotaged_copy_is_found_out(answer: Any, name: str) -> None:
    assert failed(answer, name) == SABOTAGE[name][1]


def test_of_masked_columns_the_type_is_seen_and_rows_set_aside_are_not(answer: Any) -> None:
    assert failed(answer, "people as they are seen") == []
    assert failed(answer, "people") == [
        "Check that field mail matches regex pattern .+@.+", "Check that field born has a minimum of 1950-05-01",
    ]  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_what_the_kit_says_it_is(answer: Any, name: str, tmp_path: Path) -> None:
    old, new = (load(tmp_path, data) for data in CHANGES[name])
    ours = kit_says(old, new), kit_says(new, old)
    theirs = judge_says(answer["compare"][name]), judge_says(answer["compare"][f"{name}, back"])
    assert (ours, theirs) == (DIFFER[name][:2] if name in DIFFER else (ours, ours))


def kit_says(old: Contract, new: Contract) -> str:
    return gravest({change.verdict for change in compare(old, new)})


def judge_says(directions: list[str]) -> str:
    """The verdict that the directions of a change amount to."""
    verdicts = {"loosens": "major", "both": "major", "undetermined": "review", "tightens": "minor"}
    return gravest({verdicts.get(direction, "patch") for direction in directions})


def gravest(verdicts: set[str]) -> str:
    """What moves nothing is words."""
    return next(verdict for verdict in ("major", "review", "minor", "patch") if verdict in {*verdicts, "patch"})
