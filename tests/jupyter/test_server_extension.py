"""What Lab's server does for the mesh; that it lets through only who may is tested with the real one in test_browser."""

from typing import Any, ClassVar

import pytest

from kit.core.errors import KitError
from kit.jupyter import server_extension
from kit.jupyter.server_extension import Dagster
from kit.orchestration import dev_server
from tests.support.small_mesh import SmallMesh


class Started:
    """In place of processes: notes what is started, and ends as it is told."""

    made: ClassVar[list["Started"]] = []
    error = ""

    def __init__(self, *given: Any) -> None:
        self.said: list[str] = []
        self.made.append(self)

    def spawn(self, name: str, arguments: list[str], sockets: Any = (), *, masks: bool = False) -> None:
        self.said.append(" ".join([name, *arguments]))

    def check(self) -> None:
        if self.error:
            raise KitError(self.error)

    def stop(self) -> None:
        self.said.append("stop")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    monkeypatch.setattr(Started, "made", [])
    monkeypatch.setattr(Started, "error", "")
    monkeypatch.setattr(server_extension, "Processes", Started)
    return Started.made


def test_dagster_is_started_once_at_the_first_request_and_ended(small: SmallMesh, started: list[Started]) -> None:
    dagster = Dagster(small.config)
    dagster.stop()
    assert started == []
    assert [dagster.address(), dagster.address()] == [None, None]
    dagster.stop()
    assert [item.said for item in started] == [["dagster -m kit dev", "stop"]]


def test_a_running_dagster_is_used(small: SmallMesh, started: list[Started]) -> None:
    with dev_server.place(small.config).held():
        dev_server.place(small.config).set_address("http://127.0.0.1:3000")
        assert Dagster(small.config).address() == "http://127.0.0.1:3000"
    assert started == []


def test_a_dagster_that_cannot_start_is_an_error_and_can_be_tried_again(
    small: SmallMesh, started: list[Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    dagster = Dagster(small.config)
    monkeypatch.setattr(Started, "error", "the dagster process ended with code 1")
    with pytest.raises(KitError, match="ended with code 1"):
        dagster.address()
    monkeypatch.setattr(Started, "error", "")
    assert dagster.address() is None
    assert len(started) == 2
