"""Builds in processes of their own: several at a time, and each end of one is known."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from kit.core import resources
from kit.core.errors import KitError
from kit.orchestration import builders as module
from kit.orchestration.builders import Builders, Event, builds_at_once, died
from tests.support.limits import HANG
from tests.support.meeting import meet


@dataclass(frozen=True)
class Product:
    """As much of a product as these tests need."""

    name: str


ONE, TWO = Product("one"), Product("two")


@pytest.fixture(autouse=True)
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server imports nothing, and what libraries of other tests do at the end of this process is left to it."""
    monkeypatch.setattr(module, "_warm_up_once", lambda: None)
    monkeypatch.setattr("atexit._run_exitfuncs", lambda: None)


def no_check(name: str, send: Any) -> None:
    raise NotImplementedError


def seen(event: Event) -> tuple[Any, ...]:
    """The values of an event, of the last one without its seconds."""
    return event.values[:1] if event.name == "ended" else event.values


def run(job: Callable[..., Any], *products: Any, limit: int = 2, planned: Any = None) -> list[tuple[str, str, Any]]:
    """Build products and return the events of all, with the exit code of each process."""
    found = []
    with Builders(limit, job, no_check).serving() as builders:
        for product in products:
            builders.start(product, planned)
        while builders.running:
            found += [(event.product.name, event.name, event.values[:1]) for event in builders.events()]
    return found


def test_events_of_all_arrive_and_the_plan_gets_there() -> None:
    plan = "x" * 1_000_000

    def job(name: str, planned: Any, send: Any) -> None:
        send("begin", name, os.environ["KIT_BUILDS_AT_ONCE"])
        send("outcome", len(planned))

    found = run(job, ONE, TWO, planned=plan)
    for name in ("one", "two"):
        assert [event[1:] for event in found if event[0] == name] == [
            ("begin", (name,)), ("outcome", (1_000_000,)), ("ended", (0,)),
        ]  # fmt: skip
    assert "KIT_BUILDS_AT_ONCE" not in os.environ


@pytest.mark.parametrize(
    ("act", "event"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), ("ended", (-9,))),
        (lambda: os._exit(3), ("ended", (3,))),
        (lambda: os.kill(os.getpid(), signal.SIGINT), ("ended", (130,))),
    ],
)
def test_each_end_of_a_process_is_known_and_the_other_goes_on(act: Callable[[], Any], event: Any) -> None:
    def job(name: str, planned: Any, send: Any) -> None:
        if name == "one":
            act()
        time.sleep(0.3)
        send("outcome", 1)

    found = run(job, ONE, TWO)
    assert [item[1:] for item in found if item[0] == "one"] == [event]
    assert [item[1:] for item in found if item[0] == "two"] == [("outcome", (1,)), ("ended", (0,))]


def test_an_error_of_the_kit_arrives_as_it_is() -> None:
    def job(name: str, planned: Any, send: Any) -> None:
        raise KitError("no home")

    (_, name, (error,)), _ = run(job, ONE)
    assert (name, str(error)) == ("error", "no home")


def test_all_are_interrupted_when_the_block_ends() -> None:
    def job(name: str, planned: Any, send: Any) -> None:
        send("begin", os.getpid())
        time.sleep(60)

    processes = []
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Builders(2, job, no_check).serving() as builders:
        builders.start(ONE, None)
        builders.start(TWO, None)
        assert builders.is_full
        while len(processes) < 2:
            processes += [psutil.Process(event.values[0]) for event in builders.events()]
        raise KeyboardInterrupt
    assert psutil.wait_procs(processes, timeout=HANG)[1] == []
    assert time.monotonic() - started < 20


def test_the_death_of_the_server_is_one_sentence() -> None:
    with Builders(2, lambda *_: None, no_check).serving() as builders:
        os.kill(builders._server, signal.SIGKILL)
        time.sleep(0.2)
        with pytest.raises(KitError, match="the process that starts builds was ended"):
            builders.start(ONE, None)


def test_a_process_that_died_is_a_failure_of_its_product() -> None:
    outcome = died(ONE, -9, 2.5)
    assert (outcome.failed, outcome.seconds) == (True, 2.5)
    assert outcome.message == (
        "'one': the process of its build was ended: killed (SIGKILL), as it is when memory runs out; readers keep what they had"
    )


def test_as_many_at_once_as_the_setting_or_the_machine_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "machine_threads", lambda: 4)
    monkeypatch.setattr(resources, "machine_memory", lambda: 64_000_000_000)
    found = [builds_at_once(setting, [ONE] * number) for setting, number in ((None, 9), (None, 2), (2, 9), (8, 9))]
    assert found == [4, 2, 2, 8]


def test_checks_run_at_the_same_time_in_processes_that_have_imported_nothing_for_builds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_warm_up_once", lambda: (tmp_path / "warm").touch())

    def check(name: str, send: Any) -> None:
        meet(tmp_path, name, {"one", "two"})
        send("checked", name, (tmp_path / "warm").exists())

    found = []
    with Builders(2, lambda *_: None, check).serving() as builders:
        builders.check(ONE)
        builders.check(TWO)
        while builders.running:
            found += [(event.product.name, event.name, seen(event)) for event in builders.events()]
        builders.start(ONE, None)
        while builders.running:
            list(builders.events())
    for name in ("one", "two"):
        assert [event[1:] for event in found if event[0] == name] == [("checked", (name, False)), ("ended", (0,))]
    assert (tmp_path / "warm").exists()
