"""The increment of a source, from the connector to the published snapshot."""

import pytest

from tests.support.events import Events
from tests.support.small_mesh import SmallMesh

FIRST = [(1, 10, "a"), (2, 20, "b"), (3, 30, "c")]


@pytest.fixture
def events(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> Events:
    events = Events(small, monkeypatch)
    events.rows(*FIRST)
    return events


def test_an_increment_is_merged_by_the_key_and_the_state_moves_with_the_snapshot(events: Events) -> None:
    assert events.build() == "published"
    assert events.published == FIRST
    assert events.source["kind"] == "tap"
    assert events.source["increment"]["state"] == {"seen": 30}
    events.rows(*FIRST, (2, 40, "B"), (4, 40, "d"))
    assert events.build() == "published"
    assert events.published == [(1, 10, "a"), (2, 40, "B"), (3, 30, "c"), (4, 40, "d")]
    assert events.source["increment"]["state"] == {"seen": 40}
    assert events.source["increment"]["new_rows"] == 2
    assert events.states == [None, {"seen": 30}]


def test_boundary_rows_that_come_again_are_nothing_new(events: Events) -> None:
    events.build()
    assert events.build() == "up to date"
    assert events.states == [None, {"seen": 30}]
