import re
from datetime import date

import pytest

from kit.core.errors import ConfigError
from kit.core.policy import Policy


def test_an_empty_table_is_the_default_policy() -> None:
    assert Policy.from_settings({}) == Policy()


def test_every_setting_can_be_given() -> None:
    given = {
        "owner_email": False, "described": 0.5, "classified": False, "keys": False, "service_levels": ["latency"],
        "names": {"boolean": "is_.+"}, "unmasked": {"*.person_id": "a pseudonym"},
    }  # fmt: skip
    policy = Policy.from_settings(given)
    assert (policy.owner_email, policy.described, policy.classified, policy.keys) == (False, 0.5, False, False)
    assert policy.service_levels == ("latency",)
    assert policy.names == {**Policy().names, "boolean": "is_.+"}
    assert policy.exemption("shop.sales.person_id") == "*.person_id"
    assert policy.exemption("shop.sales.name") is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "[tool.kit.policy] is 3; it must be a table of settings"),
        ({"owner": True}, "[tool.kit.policy] has no setting 'owner'; there are: owner_email, described, classified, keys, "
         "service_levels, names, other_names, unmasked, "
         "lowered"),
        ({"lowered": {"*.id": "because"}}, "lowered has 'because' for '*.id'; write \"PRODUCT.PORT.COLUMN\" = "
         "{ reason = \"why\", date = 2026-01-31 }"),
        ({"lowered": {"*.id": {"reason": " ", "date": date(2026, 1, 31)}}}, "lowered has "),
        ({"lowered": {"*.id": {"reason": "because", "date": "today"}}}, "lowered has "),
        ({"keys": "yes"}, "keys is 'yes'; it must be true or false"),
        ({"described": 80}, "described is 80; it must be a share from 0 to 1"),
        ({"service_levels": ["speed"]}, "service_levels is ['speed']; it must be a list of: latency, frequency, retention"),
        ({"names": {"bool": "is_.+"}}, "names has no 'bool'; there are: port, key, boolean, date, timestamp"),
        ({"names": {"key": "(_id"}}, "names.key is '(_id', no regular expression: missing )"),
        ({"unmasked": ["a"]}, "unmasked is ['a']; it must be a table of reasons"),
        ({"other_names": {"a.*": ""}}, "other_names gives no reason for 'a.*'; say why it keeps its name"),
        ({"unmasked": {"*.mail": " "}}, "unmasked gives no reason for '*.mail'; say why it may be read by everybody"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(given: object, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Policy.from_settings(given)
