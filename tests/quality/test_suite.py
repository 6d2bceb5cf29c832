import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kit.contracts.rules import Rule
from kit.core.errors import InvalidFile
from kit.core.files import read_json
from kit.quality import suite
from kit.quality.audit import audit
from kit.quality.audit_target import AuditTarget
from kit.quality.suite import contract_rules, extra_rules, from_contract, to_text
from tests.support.plain_expectations import plain_verdicts
from tests.support.small_mesh import SmallMesh, write


def test_the_suite_says_what_the_contract_says(small: SmallMesh) -> None:
    contract = small.product("shop").ports[1].contract
    found = from_contract(contract)
    assert [item["meta"]["rule"] for item in found["expectations"]] == [rule.name for rule in contract.rules]
    assert found["expectations"][-1]["kwargs"]["unexpected_rows_query"] == (
        "with rule(observed) as (\nselect (select sum(amount) from {batch}) - (select sum(amount) from raw.sales)\n) "
        "select if(count(*) = 1, cast(any_value(observed) as varchar), count(*) || ' rows; the query must give one value') "
        "as observed from rule having not (count(*) = 1 and coalesce(any_value(observed) = 0, false))"
    )


def test_the_rules_of_a_committed_suite_are_those_of_its_contract(small: SmallMesh) -> None:
    for port in (*small.product("shop").ports, *small.product("plan").ports):
        rules = contract_rules(port.contract, port.suite)
        assert rules == contract_rules(port.contract)
        assert list(map(facts, rules)) == list(map(facts, port.contract.rules))


def test_the_rules_are_those_on_disk(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    port = small.product("shop").ports[0]
    port.suite.write_text(port.suite.read_text().replace('"max_value": 1000', '"max_value": 10'))
    monkeypatch.setattr(suite, "to_text", lambda made: port.suite.read_text())  # as if the file were as it should be
    rules = {rule.name: rule.assertion.kwargs for rule in contract_rules(port.contract, port.suite)}
    assert rules["amount is between 0 and 1000"] == {"column": "amount", "min_value": 0, "max_value": 10}


def facts(rule: Rule) -> tuple[Any, ...]:
    """What an audit takes of a rule."""
    assertion = rule.assertion
    kwargs = {name: value for name, value in assertion.kwargs.items() if value is not None}
    return rule.name, rule.severity, rule.description, assertion.expectation, kwargs, assertion.columns


def test_a_suite_has_an_expectation_a_line(small: SmallMesh) -> None:
    port = small.product("shop").ports[0]
    lines = port.suite.read_text().splitlines()
    assert lines[:5] == [
        "{",
        ' "name": "shop.sales",',
        ' "meta": {"contract": "shop.sales", "version": "1.0.0", "written_by": "kit sync"},',
        ' "expectations": [',
        '  {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "sale_id"}, "severity": "critical", '
        '"meta": {"rule": "sale_id is required"}},',
    ]
    assert [json.loads(line.rstrip(",")) for line in lines[4:-2]] == read_json(port.suite)["expectations"]


def test_a_suite_without_rules_is_json(small: SmallMesh) -> None:
    contract = replace(small.product("shop").ports[0].contract, rules=())
    assert json.loads(to_text(from_contract(contract)))["expectations"] == []


@pytest.mark.parametrize("old", ["critical", "sale_id is required", '"max_value": 1000', "\n"])
def test_a_committed_suite_that_is_not_the_one_of_its_contract_is_refused(small: SmallMesh, old: str) -> None:
    port = small.product("shop").ports[0]
    port.suite.write_text(port.suite.read_text().replace(old, f"{old} ", 1))
    with pytest.raises(InvalidFile, match=r"expectations/sales\.json: differs from .*sales\.odcs\.yaml; run `kit sync`$"):
        contract_rules(port.contract, port.suite)
    port.suite.unlink()
    with pytest.raises(InvalidFile, match=r"expectations/sales\.json: is missing; run `kit sync`$"):
        contract_rules(port.contract, port.suite)


def test_plain_great_expectations_loads_it_whole(small: SmallMesh) -> None:
    import great_expectations as gx

    found = from_contract(small.product("shop").ports[0].contract)
    assert len(gx.ExpectationSuite(**found).expectations) == len(found["expectations"])


# What is done to the published sales, and the rules that it breaks.
SABOTAGE = {
    "an item gone": ("select * replace (nullif(item, 'cake') as item) from given", ["item is required"]),
    "a sale sent twice": ("from given union all (from given where sale_id = 7)", ["sale_id is unique"]),
    "a sale below zero": (
        "select * replace (if(sale_id = 7, -0.01, amount)::decimal(10,2) as amount) from given",
        ["amount is between 0 and 1000"],
    ),
    "a file cut short": ("from given limit 5", ["rows: rows are between 20 and 100"]),
}  # fmt: skip


@pytest.mark.slow
def test_plain_great_expectations_judges_rows_by_the_committed_suite_as_a_build_does(small: SmallMesh, tmp_path: Path) -> None:
    """The rows of every port, and the sales after each sabotage."""
    for name in ("shop", "plan"):
        small.publish(name)
    mesh, store = small.mesh, small.store
    files = {port.id: store.current(port.id.partition(".")[0]).files(port.contract.table) for port in mesh.ports}  # type: ignore[union-attr]
    files["raw.sales"] = files["shop.sales"]
    found = {port.id: (port, files[port.id]) for port in mesh.ports}
    given = duckdb.read_parquet([str(file) for file in files["shop.sales"]])
    for position, (name, (query, _)) in enumerate(SABOTAGE.items()):
        path = tmp_path / f"{position}.parquet"
        given.query("given", query).write_parquet(str(path))
        found[name] = (mesh.port("shop.sales"), [path])

    ours, cases = {}, {}
    for name, (port, paths) in found.items():
        table = port.contract.table
        tables = {**files, table: paths}
        checks = audit([AuditTarget(table, port.contract)], tables, small.config.clock())
        passed = {check.rule: check.passed for check in checks}
        ours[name] = {rule.name: passed[rule.name] for rule in port.contract.rules}
        cases[name] = (port.suite, table, tables)
    assert plain_verdicts(cases, tmp_path) == ours
    broken = {name: [rule for rule, passed in verdicts.items() if not passed] for name, verdicts in ours.items()}
    assert {name: rules for name, rules in broken.items() if rules} == {name: rules for name, (_, rules) in SABOTAGE.items()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", "must hold a suite with a non-empty list 'expectations'"),
        ('{"expectations": []}', "must hold a suite with a non-empty list 'expectations'"),
        ('{"expectations": [{"type": "expect_x", "kwargs": [1]}]}', "expectations.0: 'kwargs' and 'meta' must be mappings"),
        ('{"expectations": [{"kwargs": {}}]}', "expectations.0: must hold a 'type' such as expect_…"),
        (
            '{"expectations": [{"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": "from {x}"}}]}',
            "expectations.0.kwargs.unexpected_rows_query: must be a query on {batch}, with other braces doubled: {{ }}",
        ),
        (
            '{"expectations": [{"type": "expect_x", "severity": "bad"}]}',
            "expectations.0.severity: 'bad' is not one of critical, warning, info",
        ),
    ],
)
def test_a_broken_suite_is_refused(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "x.json", text)
    with pytest.raises(InvalidFile) as error:
        extra_rules(tmp_path / "x.json")
    assert str(error.value) == f"{tmp_path / 'x.json'}: {message}"
