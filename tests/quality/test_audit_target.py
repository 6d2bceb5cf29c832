import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kit.contracts.contract import Contract
from kit.core.errors import InvalidFile
from kit.mesh.product import DataProduct
from kit.quality.audit_target import (
    AuditTarget,
    audit_targets,
    consumer_rules,
    provider_rules,
    quarantining,
    rules,
    schema_rule,
)
from tests.support.small_mesh import SmallMesh, contract, write

CLOCK = datetime(2024, 1, 10)
TOTALS = ["item is required", "item is unique", "amount is required", "totals add up: its query gives = 0"]


def shop(small: SmallMesh) -> DataProduct:
    return small.mesh.product("shop")


def port(small: SmallMesh, name: str) -> AuditTarget:
    return next(target for target in audit_targets(shop(small))[1] if target.table == name)


def named(found: list[tuple[str, Any]]) -> list[tuple[str, str]]:
    return [(origin, rule.name) for origin, rule in found]


def test_a_build_audits_raw_sources_and_ports(small: SmallMesh) -> None:
    raw, ports = audit_targets(shop(small))
    assert [(target.table, target.suite, target.extra_suite) for target in raw] == [("raw.sales", None, None)]
    folder = small.domains / "shop/expectations"
    assert [(target.table, target.suite, target.extra_suite) for target in ports] == [
        ("sales", folder / "sales.json", folder / "sales.extra.json"),
        ("totals", folder / "totals.json", None),
    ]


def test_each_rule_has_its_origin(small: SmallMesh) -> None:
    assert named(rules(port(small, "totals"), CLOCK)) == [("contract", name) for name in TOTALS]
    assert named(rules(port(small, "sales"), CLOCK))[-3:] == [
        ("contract", "the newest sold_on is at most 2 days old and not in the future"),
        ("suite", "column mean to be between: column=amount, min_value=5, max_value=50"),
        ("suite", "column unique value count to be between: column=item, min_value=2"),
    ]


def test_rules_of_consumers_come_last_under_their_name(small: SmallMesh) -> None:
    small.need([("amount", "decimal(18,2)", {"required": True})])
    target = port(small, "totals")
    assert named(rules(target, CLOCK))[len(TOTALS) :] == [("need", "needed by plan: amount is required")]
    assert named(provider_rules(target, CLOCK, None)) == [("contract", name) for name in TOTALS]
    (need,) = target.needs
    (rule,) = consumer_rules(need, CLOCK)
    assert rule.description == "plan owner (o@example.com) states it in plan/consumes/shop.totals.odcs.yaml"


def test_a_committed_suite_is_that_of_its_contract(small: SmallMesh) -> None:
    target = port(small, "totals")
    small.write_suites("shop")
    assert target.suite is not None
    assert named(provider_rules(target, CLOCK, target.suite)) == [("contract", name) for name in TOTALS]
    data = json.loads(target.suite.read_text())
    data["expectations"].pop()
    target.suite.write_text(json.dumps(data))
    with pytest.raises(InvalidFile, match=r"totals\.json"):
        provider_rules(target, CLOCK, target.suite)


def test_a_suite_of_the_team_that_cannot_be_read_is_refused(small: SmallMesh) -> None:
    write(small.domains / "shop/expectations/sales.extra.json", "{")
    with pytest.raises(InvalidFile, match=r"sales\.extra\.json"):
        rules(port(small, "sales"), CLOCK)


def test_tables_that_set_rows_aside_are_known_by_name(small: SmallMesh) -> None:
    assert quarantining(shop(small)) == {}
    path = small.domains / "shop/sources/sales.odcs.yaml"
    data = json.loads(path.read_text())
    data["schema"][0]["properties"][2]["customProperties"] = [{"property": "onFailure", "value": "quarantine"}]
    data["customProperties"] = [*data.get("customProperties", ()), {"property": "quarantineLimit", "value": 0.1}]
    write(path, json.dumps(data))
    assert [(table, found.id) for table, found in quarantining(shop(small)).items()] == [("raw.sales", "shop.raw.sales")]


@pytest.mark.parametrize(
    ("kind", "value", "unit", "said", "bounds"),
    [
        ("date", 2, "d", "2 days", ("2024-01-08 00:00:00", "2024-01-11 00:00:00")),
        ("timestamp", 36, "h", "36 hours", ("2024-01-08 12:00:00", "2024-01-11 00:00:00")),
        ("timestamp with time zone", 1, "w", "7 days", ("2024-01-03 00:00:00+00:00", "2024-01-11 00:00:00+00:00")),
    ],
)
def test_the_age_of_the_newest_data_is_counted_from_the_clock(
    tmp_path: Path, kind: str, value: int, unit: str, said: str, bounds: tuple[str, str]
) -> None:
    level = {"property": "latency", "value": value, "unit": unit, "element": "sales.at"}
    write(tmp_path / "sales.odcs.yaml", contract("shop.sales", "sales", [("at", kind, {})], sla=[level]))
    target = AuditTarget("sales", Contract.load(tmp_path / "sales.odcs.yaml"))
    ((origin, rule),) = rules(target, CLOCK)
    assert (origin, rule.name) == ("contract", f"the newest at is at most {said} old and not in the future")
    assert rule.assertion.expectation == "expect_column_max_to_be_between"
    assert rule.assertion.kwargs == {"column": "at", "min_value": bounds[0], "max_value": bounds[1]}


def test_the_check_of_columns_says_how_many_there_are(small: SmallMesh) -> None:
    assert schema_rule(port(small, "sales").contract) == "has the contract's 4 columns and types"
