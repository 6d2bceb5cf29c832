from pathlib import Path
from typing import Any

import pytest

from kit.contracts.on_failure import OnFailure, quarantine_limit, quarantine_table
from kit.core.errors import InvalidFile
from kit.core.yaml import Document

RULE = ["schema", 0, "quality", 0]


def document(**data: Any) -> Document:
    return Document(Path("things.odcs.yaml"), "{}", data)


def custom(name: str, *values: Any) -> list[dict[str, Any]]:
    return [{"property": name, "value": value} for value in values]


def response(**item: Any) -> str:
    return OnFailure.from_item(document(), RULE, item).response


def refused(**item: Any) -> str:
    with pytest.raises(InvalidFile) as error:
        response(**item)
    return str(error.value).partition(": ")[2]


def test_a_violation_blocks_unless_the_contract_says_otherwise() -> None:
    assert [response(), response(severity="error"), response(severity="warning")] == ["block", "block", "warn"]
    said = [response(customProperties=custom("onFailure", value)) for value in ("block", "quarantine", "warn")]
    assert said == ["block", "quarantine", "warn"]


def test_a_severity_may_be_written_beside_the_same_response() -> None:
    assert response(severity="error", customProperties=custom("onFailure", "block")) == "block"
    assert response(severity="warning", customProperties=custom("onFailure", "warn")) == "warn"


def test_its_place_is_that_of_the_value_or_else_of_the_rule() -> None:
    assert OnFailure.from_item(document(), RULE, {}).where == RULE
    found = OnFailure.from_item(document(), RULE, {"customProperties": custom("onFailure", "warn")})
    assert list(found.where) == [*RULE, "customProperties", 0, "value"]


def test_what_is_unknown_or_contradicts_itself_is_refused() -> None:
    assert refused(severity="fatal") == "schema.0.quality.0.severity: 'fatal' is not one of error, warning"
    place = "schema.0.quality.0.customProperties.0.value"
    unknown = refused(customProperties=custom("onFailure", "ignore"))
    assert unknown == f"{place}: onFailure: 'ignore' is not one of block, quarantine, warn"
    both = refused(severity="warning", customProperties=custom("onFailure", "quarantine"))
    assert both == f"{place}: onFailure: 'quarantine' contradicts 'severity: warning', which is warn; keep one of them"


def test_of_several_responses_the_strictest_counts() -> None:
    block, quarantine, warn = (OnFailure(RULE, name) for name in ("block", "quarantine", "warn"))
    assert OnFailure.strictest([warn, quarantine]) is quarantine
    assert OnFailure.strictest([warn, quarantine, block]) is block
    assert OnFailure.strictest([warn]) is warn


def limit(*values: Any, needed: bool = True) -> float | None:
    return quarantine_limit(document(customProperties=custom("quarantineLimit", *values)), needed)


def test_a_limit_is_a_share_of_the_rows() -> None:
    assert [limit(0.01), limit(0.999), limit(needed=False)] == [0.01, 0.999, None]


@pytest.mark.parametrize("value", [0, 1, -0.1, True, "0.5", None])
def test_a_limit_outside_of_0_and_1_is_refused(value: Any) -> None:
    with pytest.raises(InvalidFile, match=f"quarantineLimit: {value!r} is not a share between 0 and 1 such as 0.01"):
        limit(value)


def test_a_limit_is_there_just_when_a_rule_needs_it() -> None:
    with pytest.raises(InvalidFile, match="a rule sets rows aside, but there is no limit for their share"):
        limit()
    with pytest.raises(InvalidFile, match="quarantineLimit: no rule sets rows aside"):
        limit(0.1, needed=False)


def test_the_rows_set_aside_have_a_table_of_their_own() -> None:
    assert quarantine_table("sales") == "sales__quarantine"
