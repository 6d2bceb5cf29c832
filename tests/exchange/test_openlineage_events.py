from datetime import UTC, datetime

import pytest

from kit.exchange.openlineage_events import BuildEvents, unended, with_error
from tests.support.lineage_events import faults
from tests.support.small_mesh import SmallMesh

RUN = "20240110T061530Z-000001"
AT = datetime(2024, 1, 10, 6, 15, 31, tzinfo=UTC)


def test_an_event_that_is_made_again_is_the_same(small: SmallMesh) -> None:
    first, again = (BuildEvents(small.context, small.product("shop"), RUN, "n", None).started(AT) for _ in range(2))
    assert first == again
    ids = {event["run"]["runId"] for event in first}
    assert len(ids) == len(first)
    for other in (("n", "20240110T061530Z-000002"), ("m", RUN)):
        events = BuildEvents(small.context, small.product("shop"), other[1], other[0], None).started(AT)
        assert ids.isdisjoint(event["run"]["runId"] for event in events)


@pytest.mark.parametrize(
    ("schedule", "nominal"), [(None, "2024-01-10T06:15:30.000+00:00"), ("0 6 * * *", "2024-01-10T06:00:00.000+00:00")]
)
def test_the_nominal_time_is_that_of_the_schedule(small: SmallMesh, schedule: str | None, nominal: str) -> None:
    if schedule:
        small.replace(
            "domains/shop/product.odps.yaml", '"status"',
            f'"customProperties": [{{"property": "schedule", "value": "{schedule}"}}], "status"',
        )  # fmt: skip
    events = BuildEvents(small.context, small.product("shop"), RUN, "n", None).started(AT)
    assert {event["run"]["facets"]["nominalTime"]["nominalStartTime"] for event in events} == {nominal}
    assert [fault for event in events for fault in faults(event)] == []


def test_a_source_is_the_job_of_its_connector(small: SmallMesh) -> None:
    small.publish("shop")
    snapshot = small.store.current("shop")
    assert snapshot is not None
    snapshot.manifest["sources"]["sales"]["kind"] = "airbyte"
    events = BuildEvents(small.context, small.product("shop"), RUN, "n", None).published(AT, snapshot)
    types = {event["job"]["name"]: event["job"]["facets"]["jobType"]["integration"] for event in events}
    assert types["shop.raw.sales"] == "AIRBYTE"
    assert types["shop.sales"] == "DBT"
    inputs = {event["job"]["name"]: [item["namespace"] for item in event["inputs"]] for event in events}
    assert inputs["shop.raw.sales"] == ["file"]
    assert inputs["shop.sales"] == ["n"]
    assert [fault for event in events for fault in faults(event)] == []


def test_what_is_no_run_of_dagster_is_no_parent(small: SmallMesh) -> None:
    (product, part, *_) = BuildEvents(small.context, small.product("shop"), RUN, "n", None, "manual").started(AT)
    assert "parent" not in product["run"]["facets"]
    assert part["run"]["facets"]["parent"]["root"]["run"] == {"runId": product["run"]["runId"]}


def test_the_runs_that_have_not_ended(small: SmallMesh) -> None:
    events = BuildEvents(small.context, small.product("plan"), RUN, "n", None).started(AT)
    ended = with_error({**events[1], "eventType": "FAIL"}, "it failed\ntraceback: /somewhere/error.txt")
    assert [event["job"]["name"] for event in unended([*events, ended])] == ["plan-audit", "plan"]
    assert unended([]) == []
    assert ended["run"]["facets"]["errorMessage"]["message"] == "it failed"
