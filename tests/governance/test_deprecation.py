from datetime import datetime

import pytest

from kit.governance.check import check_deprecation
from tests.support.findings import pairs
from tests.support.small_mesh import SmallMesh

LAST_DAY = datetime(2024, 3, 31, 23)


@pytest.fixture(autouse=True)
def here(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.two_majors()
    monkeypatch.chdir(small.root)


def test_until_its_last_day_is_over_an_old_version_is_no_problem(small: SmallMesh) -> None:
    assert pairs(check_deprecation(small.mesh, LAST_DAY)) == []


def test_after_its_last_day_provider_and_readers_are_told(small: SmallMesh) -> None:
    assert pairs(check_deprecation(small.mesh, datetime(2024, 4, 1))) == [
        (
            "shop",
            "domains/shop/contracts/totals_v1.odcs.yaml:40: slaProperties: 'shop.totals_v1' ended on 2024-03-31, and is "
            "still read by plan (plan owner, o@example.com); let them move, then delete the port, its model and this contract",
        ),
        (
            "plan",
            "domains/plan/product.odps.yaml:12: inputPorts.0: 'shop.totals' 1.0.0 is served by 'shop.totals_v1', which ended "
            "on 2024-03-31; move to shop.totals 2.0.0",
        ),
    ]


def test_what_nobody_reads_is_to_be_deleted(small: SmallMesh) -> None:
    small.replace(
        "domains/plan/product.odps.yaml",
        '"version": "1.0.0",\n   "contractId": "shop',
        '"version": "2.0.0",\n   "contractId": "shop',
    )
    ((_, message),) = pairs(check_deprecation(small.mesh, datetime(2024, 4, 1)))
    assert message.endswith("'shop.totals_v1' ended on 2024-03-31; delete the port, its model and this contract")
