import pytest

from kit.contracts.check import Check, counts, explain, merged

PASSED = Check("t", "r", "dbt", True)
WARNED = Check("t", "r", "dbt", False, "warning", "3 rows")
FAILED = Check("t", "r", "dbt", False, "error", "9 rows", samples=({"id": 1, "n": None},), note="why")
OTHERS = [Check("t", "r", "suite", True), Check("u", "r", "dbt", True)]


@pytest.mark.parametrize(
    ("checks", "left"),
    [
        ([], []),
        ([PASSED, PASSED], [PASSED]),
        ([PASSED, WARNED, PASSED], [WARNED]),
        ([WARNED, FAILED, PASSED], [FAILED]),
        ([FAILED, WARNED], [FAILED]),
        ([FAILED, Check("t", "r", "dbt", False, "error", "1 row")], [FAILED]),
        ([FAILED, *OTHERS], [FAILED, *OTHERS]),
    ],
)  # fmt: skip
def test_a_check_of_several_partitions_is_as_good_as_its_worst_outcome(checks: list[Check], left: list[Check]) -> None:
    assert merged(checks) == left


def test_what_failed_is_told() -> None:
    assert explain([PASSED, WARNED, FAILED]).splitlines() == [
        "warning  t: r  (dbt)", "        observed: 3 rows",
        "failed  t: r  (dbt)", "        means:    why", "        observed: 9 rows", "        row:      id=1, n=None",
    ]  # fmt: skip
    assert counts([PASSED, WARNED, FAILED]) == {"passed": 1, "failed": 1, "warned": 1}
    assert Check.from_json(FAILED.to_json()) == FAILED
