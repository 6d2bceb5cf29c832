import json
from typing import Any

import pytest

from kit.core.policy import Policy
from kit.governance.policy import check_policy
from tests.support.findings import pairs
from tests.support.small_mesh import SmallMesh, contract, write

FREE = Policy(classified=False)


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)


def forecast(small: SmallMesh, *columns: tuple[str, str, dict[str, Any]], **more: Any) -> None:
    """Another contract for `plan.forecast`."""
    data = json.loads(contract("plan.forecast", "forecast", list(columns)))
    write(small.domains / "plan/contracts/forecast.odcs.yaml", json.dumps({**data, **more}, indent=1))


def keep(column: str) -> str:
    return f'rename it, or add \'"plan.forecast.{column}" = "why"\' to [tool.kit.policy.other_names] in pyproject.toml'


def found(small: SmallMesh, policy: Policy) -> list[str]:
    """What is wrong with `plan`."""
    return [
        message.partition("forecast.odcs.yaml:")[2]
        for name, message in pairs(check_policy(policy, small.mesh))
        if name == "plan"
    ]


def test_without_a_policy_nothing_is_asked(small: SmallMesh) -> None:
    assert pairs(check_policy(None, small.mesh)) == []
    assert pairs(check_policy(FREE, small.mesh)) == []


def test_nobody_is_asked_to_name_a_measure_or_a_year_like_an_identifier(small: SmallMesh) -> None:
    key = {"primaryKey": True, "classification": "internal"}
    forecast(small, ("n_orders", "bigint", key), ("year", "bigint", key))
    assert [message.partition(": ")[2] for message in found(small, Policy())] == [
        "schema.0.properties.0.name: 'n_orders' is in the key, but named as a measure, which identifies no row; "
        "write 'primaryKey: true' at the columns that identify a row, and not here"
    ]


def test_each_violation_is_one_sentence_with_its_fix(small: SmallMesh) -> None:
    columns = [
        ("nr", "bigint", {"primaryKey": True, "classification": "internal"}),
        ("mail", "varchar", {"classification": "personal"}),
        ("token", "varchar", {"classification": "personal", "customProperties": [{"property": "mask", "value": "hmac"}]}),
        ("open", "boolean", {"description": ""}),
        ("seen", "timestamp with time zone", {"classification": "public"}),
    ]
    forecast(small, *columns, slaProperties=[])
    at = "schema.0.properties"
    assert [message.partition(": ")[2] for message in found(small, Policy())] == [
        f"{at}.3: 4 of 5 columns have a description, the policy asks for 100%; describe: open",
        f"{at}.3: without a classification: open; write public, internal, confidential or personal",
        "slaProperties: states no frequency; add '{property: frequency, value: 1, unit: d}' with the true value",
        f"{at}.1: 'mail' is personal and published without a mask; "
        "mask it with customProperties: [{property: mask, value: hmac}], or let the platform exempt it with a reason",
        f"{at}.0.name: 'nr' does not match .+_id, as names of keys do; {keep('nr')}",
        f"{at}.3.name: 'open' does not match (is|has)_.+, as names of boolean columns do; {keep('open')}",
        f"{at}.4.name: 'seen' does not match .+_at, as names of timestamp columns do; {keep('seen')}",
    ]
    lenient = Policy(described=0.8, classified=False, service_levels=(), unmasked={"plan.*.mail": "made up"})
    assert len(found(small, lenient)) == 3


def test_names_are_proposals_and_an_exemption_is_one_line(small: SmallMesh) -> None:
    columns = [
        ("nr", "bigint", {"primaryKey": True, "classification": "internal"}),
        ("open", "boolean", {"classification": "public"}),
    ]
    forecast(small, *columns)
    names = [finding for finding in check_policy(Policy(), small.mesh) if finding.product == "plan"]
    assert [(finding.severity, finding.fix) for finding in names] == [("warning", keep("nr")), ("warning", keep("open"))]
    assert [finding.fix for finding in check_policy(Policy(other_names={"plan.*.nr": "as the till has it"}), small.mesh)
            if finding.product == "plan"] == [keep("open")]  # fmt: skip
    every = Policy(classified=False, names={**Policy().names, "port": "f.*"}, other_names={"*": "of a warehouse"})
    assert pairs(check_policy(every, small.mesh)) == []
    unused = Policy(classified=False, other_names={"plan.forecast.*": "as the till has it", "plan.gone.*": "of old"})
    assert pairs(check_policy(unused, small.mesh)) == [
        (
            "pyproject.toml",
            "[tool.kit.policy] other_names: 'plan.gone.*' exempts no name that differs from `names`; "
            "delete it when no product needs it",
        )
    ]


def test_a_port_has_a_key_and_an_owner_an_address(small: SmallMesh) -> None:
    forecast(small, ("item", "varchar", {}))
    small.replace("domains/plan/product.odps.yaml", "o@example.com", "the planners")
    owner, key = [message for name, message in pairs(check_policy(FREE, small.mesh)) if name == "plan"]
    assert owner.startswith("domains/plan/product.odps.yaml:")
    assert owner.endswith(": team: 'the planners' is no e-mail address; write the owner's as username")
    assert key.endswith("no column is marked as its key; write 'primaryKey: true' at the columns that identify a row")
    assert pairs(check_policy(Policy(False, classified=False, keys=False), small.mesh)) == []


def test_an_exemption_of_nothing_is_to_be_deleted(small: SmallMesh) -> None:
    forecast(small, ("person_id", "bigint", {"primaryKey": True, "classification": "personal"}))
    policy = Policy(classified=False, unmasked={"*.person_id": "a pseudonym", "*.name": "a pen name"})
    assert pairs(check_policy(policy, small.mesh)) == [
        (
            "pyproject.toml",
            "[tool.kit.policy] unmasked: '*.name' exempts no column that is personal and not masked; "
            "delete it when no product needs it",
        )
    ]
    assert [finding.severity for finding in check_policy(policy, small.mesh)] == ["warning"]  # `kit check` still passes


def test_a_column_of_tokens_is_to_be_inherited(small: SmallMesh) -> None:
    small.mask("shop/contracts/totals.odcs.yaml", item="hmac")
    forecast(small, ("item", "varchar", {"classification": "personal"}))
    (message,) = (text for text in found(small, FREE) if "published without a mask" in text)
    assert message.endswith(
        "mask it with customProperties: [{property: mask, value: inherited}], or let the platform exempt it with a reason"
    )
