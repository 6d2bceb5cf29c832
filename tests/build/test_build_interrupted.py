"""Builds that are asked to end: nothing is published afterwards, and the record says so."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.build.build import Outcome, build, check_due
from kit.build.plan import BuildRequest
from kit.build.progress import Progress
from kit.storage.runs import RECORD, Runs
from kit.storage.status import statuses
from tests.support.small_mesh import SmallMesh, write


def at(point: str, act: Callable[[], object]) -> Progress:
    """A listener that acts at a point of the build."""

    def step(name: str) -> None:
        if name == point:
            act()

    return Progress(step=step)


def interrupt(number: signal.Signals = signal.SIGTERM) -> None:
    signal.raise_signal(number)


def swallow() -> None:
    """Swallow the interrupt, as the callback of a weak reference does."""
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def canceled(small: SmallMesh, product: str = "shop", **options: Any) -> None:
    """Build, and check that it is interrupted, recorded as canceled, and leaves readers alone."""
    before = small.store.read_pointer(product)
    with pytest.raises(KeyboardInterrupt):
        build(small.config, small.product(product), options.pop("request", BuildRequest(force=True)), **options)
    record = Runs(small.config.storage).last(product)
    assert record is not None
    assert (record.status, record.message) == (
        "canceled", "it was stopped before it was published; readers keep the last snapshot"
    )  # fmt: skip
    assert small.store.read_pointer(product) == before
    notes = {row.note for row in statuses(small.context) if row.product.name == product}
    assert notes == {f"last build canceled: {record.message}"}


@pytest.mark.usefixtures("hangup")
@pytest.mark.parametrize(
    ("number", "point"), [(signal.SIGINT, "ingest done"), (signal.SIGTERM, "dbt done"), (signal.SIGHUP, "parent checked")]
)
def test_a_signal_cancels_the_build(small: SmallMesh, number: signal.Signals, point: str) -> None:
    small.publish("shop")
    canceled(small, progress=at(point, lambda: interrupt(number)))
    assert small.build("shop", force=True).status == "published"  # no lock is left


def test_a_swallowed_interrupt_still_prevents_the_publication(small: SmallMesh) -> None:
    canceled(small, progress=at("ingest done", swallow))


def test_a_swallowed_interrupt_that_made_the_build_fail_cancels_it(small: SmallMesh) -> None:
    def fail() -> None:
        swallow()
        raise RuntimeError("broken off")

    canceled(small, progress=at("dbt done", fail))


def test_a_second_signal_does_not_break_off_the_record(small: SmallMesh) -> None:
    small.publish("shop")

    def twice() -> None:
        try:
            interrupt()
        finally:
            interrupt(signal.SIGINT)

    canceled(small, progress=at("dbt done", twice))


def test_an_interrupted_notebook_ends_with_its_kernel(small: SmallMesh) -> None:
    small.publish("shop")
    small.notebook("plan", "forecast", ["import pathlib, time\npathlib.Path('begun').touch()\ntime.sleep(600)"])
    before = signal.getsignal(signal.SIGTERM)

    def terminate() -> None:  # the kernel itself reaches no other process
        while not (small.domains / "plan/notebooks/begun").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate, daemon=True).start()
    canceled(small, "plan")
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_interrupt_while_sources_are_landed_to_see_whether_a_build_is_due(small: SmallMesh) -> None:
    with pytest.raises(KeyboardInterrupt):
        check_due(small.config, small.product("shop"), BuildRequest(), at("ingest done", interrupt))
    record = Runs(small.config.storage).last("shop")
    assert record is not None
    assert record.status == "canceled"


@pytest.mark.parametrize("call", [check_due, build])
def test_a_build_that_is_killed_while_its_sources_are_landed_counts_as_canceled(
    small: SmallMesh, call: Callable[..., object]
) -> None:
    runs, marks = Runs(small.config.storage), list[Path]()

    def landed() -> None:
        marks.extend(runs.root.glob("shop/*/running"))

    request = BuildRequest(force=True)
    call(small.config, small.product("shop"), request, progress=at("ingest done", landed))
    (mark,) = marks
    write(mark, "")  # what is left if the process ends here
    (mark.parent / RECORD).unlink(missing_ok=True)
    killed = runs.last("shop")
    assert killed is not None
    assert (killed.run_id, killed.status) == (mark.parent.name, "canceled")


def test_a_canceled_request_is_not_published(small: SmallMesh) -> None:
    small.publish("shop")
    over: list[bool] = []
    request = BuildRequest(force=True, canceled=lambda: bool(over))
    canceled(small, request=request, progress=at("parent checked", lambda: over.append(True)))


@pytest.mark.parametrize("point", ["version renamed", "current.json written", "current.json replaced", "recorded"])
def test_a_publication_that_has_begun_is_completed_and_says_that_its_end_was_asked_for(small: SmallMesh, point: str) -> None:
    small.publish("shop")
    outcome: Outcome = small.build("shop", force=True, progress=at(point, interrupt))
    assert (outcome.status, outcome.interrupted) == ("published", True)
    current = small.store.current("shop")
    assert current is not None
    assert current.version == outcome.version
    record = Runs(small.config.storage).last("shop")
    assert record is not None
    assert (record.status, record.version) == ("published", outcome.version)


def test_a_build_that_nobody_stops_is_not_interrupted(small: SmallMesh) -> None:
    assert not small.build("shop").interrupted
