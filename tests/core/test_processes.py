import socket

import psutil
import pytest

from kit.core.errors import KitError
from kit.core.locks import SingleInstance
from kit.core.processes import HOST, Processes, Server, describe_ending, listens, port_socket
from tests.support.small_mesh import SmallMesh


def test_the_wanted_port_is_used_unless_a_process_listens_there() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        wanted = taken.getsockname()[1]
        taken.listen()
        with port_socket(wanted) as other:
            assert other.getsockname()[1] != wanted
    with port_socket(wanted) as bound:
        assert bound.getsockname() == (HOST, wanted)


def test_nobody_else_can_bind_a_port_before_the_server_listens_there() -> None:
    with port_socket(0) as bound, socket.socket() as other:
        assert not listens(socket.AF_INET, bound.getsockname())
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(bound.getsockname())


class Listener(Server):
    """A process that listens on a port, or ends at once."""

    def __init__(self, small: SmallMesh, code: str) -> None:
        self.bound = port_socket(0)
        environment = {"LISTEN": str(self.bound.fileno())}
        address = f"http://{HOST}:{self.bound.getsockname()[1]}"
        super().__init__(address, Processes(small.config, small.root / "logs", environment))
        self.code = code

    def start(self) -> None:
        with self.bound as bound:
            self.processes.spawn("listener", ["-c", self.code], [bound])
            self.processes.wait_for("listener", lambda: listens(socket.AF_INET, bound.getsockname()))


LISTEN = (
    "import os, socket, time\nserver = socket.socket(fileno=int(os.environ['LISTEN']))\nserver.listen()\n"
    "print(os.getpid(), os.environ['KIT_ROOT'], flush=True)\ntime.sleep(600)"
)


def test_a_server_publishes_its_address_while_it_runs_and_ends_its_processes(small: SmallMesh) -> None:
    place = SingleInstance("Listener", small.root / "place")
    server = Listener(small, LISTEN)
    with place.held(), server.running(place):
        assert place.address == server.address
        pid, root = (small.root / "logs/listener.log").read_text().split()
        assert (psutil.pid_exists(int(pid)), root) == (True, str(small.root))
    assert place.address is None
    assert not psutil.pid_exists(int(pid))


def test_a_process_that_ends_is_an_error_with_the_end_of_its_log(small: SmallMesh) -> None:
    place = SingleInstance("Listener", small.root / "place")
    with pytest.raises(KitError) as error, Listener(small, "print('one\\ntwo'); raise SystemExit(3)").running(place):
        raise AssertionError("it runs")
    assert str(error.value).startswith("the listener process ended with code 3; ")
    assert str(error.value).splitlines()[1:] == ["one", "two"]
    assert place.address is None


def test_watching_does_the_regular_work_until_a_process_ends(small: SmallMesh) -> None:
    server = Listener(small, LISTEN.replace("600", "1"))
    calls: list[int] = []
    server.maintain = lambda: calls.append(1)  # type: ignore[method-assign]
    place = SingleInstance("Listener", small.root / "place")
    with place.held(), server.running(place), pytest.raises(KitError, match="with code 0"):
        server.watch()
    assert calls


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (3, "exit code 3, as exit(), quit() and os._exit() give it; take them out"),
        (-15, "killed (SIGTERM)"),
        (-9, "killed (SIGKILL), as it is when memory runs out"),
        (-11, "crashed (SIGSEGV), by an error in native code, such as that of a compiled library"),
    ],
)
def test_how_a_process_ended(code: int, says: str) -> None:
    assert describe_ending(code) == says
