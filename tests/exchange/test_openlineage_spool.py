from threading import Event as Signal
from threading import Thread
from typing import Any

import pytest

from kit.exchange import openlineage_spool
from kit.exchange.openlineage_spool import EventFile, deliver
from kit.exchange.openlineage_target import Target
from tests.support.receiver import receiving
from tests.support.small_mesh import SmallMesh


def events(run: str, *kinds: str) -> list[dict[str, Any]]:
    return [{"eventType": kind, "run": {"runId": run}, "n": number} for number, kind in enumerate(kinds)]


def test_events_are_added_in_order_and_marked(small: SmallMesh) -> None:
    file = EventFile(small.config, "shop", "20240101T000000Z-000001")
    assert (file.read(), EventFile.waiting(small.config), EventFile.all(small.config)) == ([], [], [])
    file.append(events("1", "START"))
    assert file.is_open()
    file.append(events("1", "COMPLETE"))
    assert [event["eventType"] for event in file.read()] == ["START", "COMPLETE"]
    assert not file.is_open()
    assert EventFile.waiting(small.config) == EventFile.all(small.config) == [file]
    assert deliver(small.config, None, 1) == ""
    assert EventFile.waiting(small.config) == []


def test_the_oldest_run_is_sent_first_whichever_product_it_is_of(small: SmallMesh) -> None:
    files = [EventFile(small.config, name, f"2024010{day}T000000Z-000001") for day, name in ((2, "a"), (1, "b"), (3, "a"))]
    for file in files:
        file.append(events(file.run_id, "START", "COMPLETE"))
    with receiving() as server:
        assert deliver(small.config, Target(server.url), 5) == ""
        assert [value["run"]["runId"][:8] for value in server.values] == ["20240101"] * 2 + ["20240102"] * 2 + ["20240103"] * 2
        assert deliver(small.config, Target(server.url), 5) == ""
        assert len(server.requests) == 6


def test_events_of_so_many_runs_wait_and_no_more(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openlineage_spool, "_MOST_RUNS", 3)
    files = [EventFile(small.config, "shop", f"2024010{day}T000000Z-000001") for day in range(1, 7)]
    for file in files:
        file.append(events(file.run_id, "START", *([] if file == files[0] else ["COMPLETE"])))
    with receiving() as server:
        server.answers = [500]
        assert deliver(small.config, Target(server.url), 5).endswith(
            "; the next build sends them; `kit export openlineage --all` sends those of 2 older runs"
        )
        assert EventFile.waiting(small.config) == [files[0], *files[3:]]
        assert EventFile.all(small.config) == files
        assert deliver(small.config, Target(server.url), 5) == ""
        assert [value["run"]["runId"][7] for value in server.values[1:]] == ["1", "4", "4", "5", "5", "6", "6"]


def test_what_was_sent_is_not_sent_again_after_a_failure(small: SmallMesh) -> None:
    file = EventFile(small.config, "shop", "20240101T000000Z-000001")
    file.append(events("1", "START", "RUNNING", "COMPLETE"))
    with receiving() as server:
        server.answers = [200, 500]
        line = deliver(small.config, Target(server.url), 5)
        assert line == f'2 events wait for {server.url}: it answers 500 {{"status": 500}}; the next build sends them'
        assert file.sent() == 1
        assert deliver(small.config, Target(server.url), 5) == ""
        assert [value["n"] for value in server.values] == [0, 1, 1, 2]


def test_a_run_that_goes_on_keeps_its_place(small: SmallMesh) -> None:
    file = EventFile(small.config, "shop", "20240101T000000Z-000001")
    file.append(events("1", "START"))
    with receiving() as server:
        deliver(small.config, Target(server.url), 5)
        assert (EventFile.waiting(small.config), file.sent()) == ([file], 1)
        file.append(events("1", "COMPLETE"))
        deliver(small.config, Target(server.url), 5)
        assert [value["eventType"] for value in server.values] == ["START", "COMPLETE"]
    assert EventFile.waiting(small.config) == []


def test_only_one_process_sends_at_a_time(small: SmallMesh) -> None:
    EventFile(small.config, "shop", "20240101T000000Z-000001").append(events("1", "START", "COMPLETE"))
    with receiving() as server:
        server.seconds = 0.3
        first = Thread(target=deliver, args=(small.config, Target(server.url), 5))
        first.start()
        Signal().wait(0.1)
        assert deliver(small.config, Target(server.url), 5) == ""
        first.join()
        assert len(server.requests) == 2


def test_a_run_that_ends_while_another_process_sends_does_not_wait_for_the_next_build(small: SmallMesh) -> None:
    first, second = (EventFile(small.config, name, "20240101T000000Z-000001") for name in ("a", "b"))
    first.append(events("1", "START", "COMPLETE"))
    with receiving() as server:
        server.seconds = 0.3
        sending = Thread(target=deliver, args=(small.config, Target(server.url), 5))
        sending.start()
        Signal().wait(0.1)
        second.append(events("2", "START", "COMPLETE"))
        assert deliver(small.config, Target(server.url), 0.1, only_new=True) == ""
        assert deliver(small.config, Target(server.url), 10) == ""
        sending.join()
        assert [(value["run"]["runId"], value["eventType"]) for value in server.values] == [
            ("1", "START"), ("1", "COMPLETE"), ("2", "START"), ("2", "COMPLETE"),
        ]  # fmt: skip
    assert EventFile.waiting(small.config) == []


def test_a_damaged_file_stops_nothing(small: SmallMesh) -> None:
    file = EventFile(small.config, "shop", "20240101T000000Z-000001")
    file.append(events("1", "START", "COMPLETE"))
    file.path.write_text(file.path.read_text()[:-20])
    file.marker.write_text("")
    (file.marker.parent / "no-run").touch()
    with receiving() as server:
        assert deliver(small.config, Target(server.url), 5) == ""
        assert [value["eventType"] for value in server.values] == ["START"]
