from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import polars as pl
import pytest

from kit.build import listeners
from kit.build.listeners import Listener
from kit.core.errors import KitError
from tests.support.small_mesh import SmallMesh


class Recorder(Listener):
    """Keeps what it hears, and whether readers saw a snapshot by then."""

    heard: ClassVar[list[tuple[Any, ...]]] = []

    def started(self, config: Any, product: Any, run_id: str, request: Any) -> None:
        self.heard.append(("started", product.name, run_id))

    def finished(self, config: Any, product: Any, record: Any, plan: Any) -> None:
        self.heard.append(("finished", record.status, record.run_id, plan is not None))

    def moved(self, config: Any, product: str) -> None:
        self.heard.append(("moved", product))

    def pruned(self, config: Any, product: str) -> None:
        self.heard.append(("pruned", product))


class Failing(Listener):
    """Fails at each event."""

    error: Exception = ValueError("no such table\nsecond line")

    def _fail(self, *_: object) -> None:
        raise self.error

    started = moved = finished = _fail


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Returns a function that makes these listeners the only ones."""

    def register(*names: str) -> None:
        points = [EntryPoint(name, f"{__name__}:{name}", listeners.GROUP) for name in names]
        monkeypatch.setattr(listeners, "points_of", lambda group: points if group == listeners.GROUP else [])

    Recorder.heard = []
    return register


def test_one_instance_follows_one_build(
    small: SmallMesh, registered: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered("Recorder")
    made: list[Recorder] = []
    monkeypatch.setattr(Recorder, "__init__", lambda self: made.append(self), raising=False)
    together: dict[str, Listener] = {}
    for _ in range(2):
        assert list(listeners.notify(small.config, lambda listener: listener.moved(small.config, "shop"), together)) == []
    assert len(made) == 1
    assert list(listeners.notify(small.config, lambda listener: listener.moved(small.config, "shop"))) == []
    assert len(made) == 2


def test_a_publication_is_heard_in_order(small: SmallMesh, registered: Callable[..., None]) -> None:
    registered("Recorder")
    outcome = small.build("shop")
    assert outcome.status == "published"
    run_id = small.store.snapshot("shop", outcome.version or "").manifest["run_id"]
    assert Recorder.heard == [("started", "shop", run_id), ("moved", "shop"), ("finished", "published", run_id, True)]


def test_a_build_with_nothing_to_do_is_not_heard(small: SmallMesh, registered: Callable[..., None]) -> None:
    small.publish("shop")
    registered("Recorder")
    assert small.build("shop").status == "up to date"
    assert Recorder.heard == []


def test_a_failed_build_moves_nothing(small: SmallMesh, registered: Callable[..., None]) -> None:
    registered("Recorder")
    small.feed.write_text("id\n")
    assert small.build("shop").status == "failed"
    assert [event[:2] for event in Recorder.heard] == [("finished", "failed")]
    assert Recorder.heard[0][-1] is False


def test_snapshots_that_retention_deletes_are_heard(
    small: SmallMesh, registered: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    small.replace("pyproject.toml", 'storage = "state"', 'storage = "state"\nkeep_snapshots = 1')
    small.publish("shop")
    registered("Recorder")
    small.build("shop", force=True)
    assert Recorder.heard[-1] == ("pruned", "shop")


def test_a_listener_that_fails_costs_a_line_and_stops_no_other(
    small: SmallMesh, registered: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered("Failing", "Recorder")
    outcome = small.build("shop")
    assert (outcome.status, outcome.message) == ("published", "Failing: ValueError: no such table")
    assert len(Recorder.heard) == 3
    snapshot = small.store.current("shop")
    assert snapshot is not None
    assert pl.read_parquet(snapshot.files("totals")).height


def test_a_secret_in_the_error_of_a_listener_is_hidden(
    small: SmallMesh, registered: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SINK_TOKEN", "open-sesame-17")
    monkeypatch.setattr(Failing, "error", KitError("the server refused open-sesame-17"))
    registered("Failing")
    assert small.build("shop", force=True).message == "Failing: the server refused [SINK_TOKEN]"


def test_a_listener_that_cannot_be_loaded_is_a_line(small: SmallMesh, registered: Callable[..., None]) -> None:
    registered("Missing")
    outcome = small.build("shop")
    assert outcome.status == "published"
    assert outcome.message.startswith("Missing: cannot be imported (AttributeError: ")


def test_listeners_that_an_older_environment_lacks_are_one_line(
    small: SmallMesh, registered: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered("Recorder", "Gone")
    monkeypatch.setattr(listeners, "missing_entry_points", lambda group: ["fax", "pager"] if group == listeners.GROUP else [])
    assert list(listeners.notify(small.config, lambda listener: listener.moved(small.config, "shop"))) == [
        f"Gone: cannot be imported (AttributeError: module '{__name__}' has no attribute 'Gone'); install its package again",
        "fax, pager: not installed, because the environment is older than the files of the kit; run `make install`",
    ]
    assert Recorder.heard == [("moved", "shop")]
