"""A correction of old data reaches the partitions made from it, or they are named as outdated everywhere."""

from typing import Any

import pytest

import kit
from kit.build.build import build
from kit.build.plan import BuildRequest
from kit.orchestration.asset_specs import asset_key
from kit.orchestration.instance import instance
from kit.storage.partition_inputs import read_partitions
from kit.storage.status import PortStatus, statuses
from kit.sync.sync import sync
from tests.support.days import correct, write_days
from tests.support.dev_server import dev_server
from tests.support.small_mesh import SALES, SmallMesh

DAYS = ["2024-01-07", "2024-01-08", "2024-01-09"]


def days(small: SmallMesh, **how: Any) -> None:
    write_days(small.domains / "days", **how)
    sync(small.context)
    small.publish("shop")
    assert built(small) == DAYS


def built(small: SmallMesh, *partitions: str) -> list[str]:
    """The partitions that a build makes."""
    outcome = build(small.config, small.product("days"), BuildRequest(partitions=partitions))
    assert not outcome.failed, outcome.message
    return list(outcome.partitions)


def status(small: SmallMesh) -> PortStatus:
    (row,) = (row for row in statuses(small.context) if row.product.name == "days")
    return row


def takings(small: SmallMesh) -> dict[str, str]:
    frame = kit.read("days.takings", config=small.config)
    return {str(row["sold_on"]): str(row["amount"]) for row in frame.to_dicts()}


def correct_day(small: SmallMesh, day: str) -> None:
    small.feed_rows(correct(SALES, day, "900.00"))
    assert build(small.config, small.product("shop")).status == "published"


def test_a_correction_makes_the_partitions_outdated_until_they_are_built(small: SmallMesh) -> None:
    days(small)
    before = takings(small)
    assert (status(small).state, status(small).outdated) == ("fresh", ())
    correct_day(small, "2024-01-07")
    assert built(small, "2024-01-09") == ["2024-01-09"]
    assert takings(small) == before
    row = status(small)
    assert (row.state, row.outdated, row.inputs) == ("outdated", ("2024-01-07", "2024-01-08"), ("shop.sales",))
    # The manifest names the input of each partition.
    made = read_partitions(small.store.current("days").manifest)
    versions = [made[day].inputs["shop.sales"].version for day in DAYS]
    first, second = sorted(small.store.versions("shop"))
    assert versions == [first, first, second]
    text = small.kit("status", check=True).stdout
    assert "days: made from another shop.sales than is published now: 2024-01-07, 2024-01-08; run `kit run days`" in text
    assert "made from another shop.sales than is published now" in repr(kit.open(small.root)["days.takings"])
    assert "2 partitions outdated" in small.kit("history", "days.takings", check=True).stdout
    assert built(small) == ["2024-01-07", "2024-01-08"]
    assert takings(small) == before | {"2024-01-07": "940.00"}
    assert (status(small).state, status(small).outdated) == ("fresh", ())


def test_of_an_input_read_by_partition_only_the_corrected_day_is_outdated(small: SmallMesh) -> None:
    days(small, inputs={"shop.sales": "sold_on"})
    before = takings(small)
    correct_day(small, "2024-01-08")
    assert status(small).outdated == ("2024-01-08",)
    assert built(small) == ["2024-01-08"]
    changed = takings(small)
    assert {day for day in DAYS if changed[day] != before[day]} == {"2024-01-08"}
    assert status(small).state == "fresh"


@pytest.mark.heavy
def test_automation_in_kit_dev_builds_every_outdated_partition(small: SmallMesh) -> None:
    days(small)
    before = takings(small)
    with dev_server(small.root) as server:
        with instance(small.config) as opened:
            server.wait_for(lambda: opened.get_latest_materialization_event(asset_key("plan.forecast")) is not None)
        small.feed_rows(correct(correct(SALES, "2024-01-07", "300.00"), "2024-01-08", "200.00"))
        small.kit("run", "shop", check=True)
        assert status(small).outdated == tuple(DAYS)
        server.wait_for(lambda: not status(small).outdated, seconds=300)
    changed = takings(small)
    assert [day for day in DAYS if changed[day] != before[day]] == ["2024-01-07", "2024-01-08"]
