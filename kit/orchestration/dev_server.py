"""`kit dev`: code server, daemon and web server of the mesh, started and stopped together."""

import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.core import (
    HOST,
    Config,
    KitError,
    Processes,
    Server,
    SingleInstance,
    end_by_interrupt,
    listens,
    need_resources,
    port_socket,
    resources,
    to_json,
)
from kit.orchestration.instance import LOCATION, home, instance, tend

_TEND_SECONDS = 10


def place(config: Config) -> SingleInstance:
    """Return the lock and address of the mesh's Dagster."""
    return SingleInstance("Dagster", home(config) / "dev")


@contextmanager
def dagster(config: Config, port: int) -> "Iterator[Dagster]":
    """Run Dagster for the mesh until the block ends; raises `Busy` when it runs already, `KitError` when it fails.

    From now on SIGTERM and SIGHUP raise `KeyboardInterrupt` in this process.
    """
    _need_web_server()
    need_resources()
    end_by_interrupt()
    # Several processes that open a new home at the same time break it for good: this one opens it alone.
    with place(config).held(), instance(config) as opened, port_socket(port) as bound, _short_folder() as folder:
        server = Dagster(config, bound, folder / "code", lambda: tend(config, opened))
        with server.running(place(config)):
            yield server


class Dagster(Server):
    """The three processes of Dagster: the web server listens on a bound socket, the code server at a path.

    `tend` does the regular work on its home.
    """

    def __init__(self, config: Config, bound: socket.socket, code_socket: Path, tend: Callable[[], object]) -> None:
        at_once = str(resources.builds_at_once(config.parallel_builds))  # the runs, which share the memory
        environment = {
            "DAGSTER_HOME": str(home(config)), "DAGSTER_DISABLE_TELEMETRY": "1", resources.BUILDS_AT_ONCE: at_once,
        }  # fmt: skip
        super().__init__(f"http://{HOST}:{bound.getsockname()[1]}", Processes(config, place(config).folder, environment))
        self._tend = tend
        self._tended = time.monotonic()
        self._bound = bound
        self._code_socket = code_socket
        self._root = config.root

    def start(self) -> None:
        """Start code server, web server and daemon; raises `KitError` when one ends or does not answer."""
        from kit.orchestration.dagster_internals import DAEMON_MODULE

        code = ["-m", "dagster", "code-server", "start", "--module-name", "kit.orchestration.definitions"]
        code += ["--socket", str(self._code_socket), "--location-name", LOCATION, "--working-directory", str(self._root)]
        self.processes.spawn("code", [*code, "--use-python-environment-entry-point", "--log-level", "warning"], masks=True)
        self.processes.wait_for("code", lambda: listens(socket.AF_UNIX, str(self._code_socket)))
        workspace = self.processes.logs / "workspace.yaml"
        code_server = {"socket": str(self._code_socket), "location_name": LOCATION}
        workspace.write_text(to_json({"load_from": [{"grpc_server": code_server}]}), encoding="utf-8")
        places = ["--file-descriptor", str(self._bound.fileno()), "--code-socket", str(self._code_socket)]
        self.processes.spawn("web", ["-m", "kit.orchestration.webserver", *places], [self._bound])
        self.processes.wait_for("web", lambda: listens(socket.AF_INET, self._bound.getsockname()))
        self.processes.spawn("daemon", ["-m", DAEMON_MODULE, "run", "--log-level", "warning", "--workspace", str(workspace)])

    def maintain(self) -> None:
        """Do the regular work on the home, every few seconds."""
        if time.monotonic() - self._tended > _TEND_SECONDS:
            self._tend()
            self._tended = time.monotonic()


@contextmanager
def _short_folder() -> Iterator[Path]:
    """A private temporary folder: the path of a socket is limited to 100 bytes, and the storage's may be longer."""
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        yield Path(folder)


def _need_web_server() -> None:
    try:
        import dagster_webserver  # noqa: F401
    except ImportError:
        raise KitError("`kit dev` needs the package dagster-webserver; run `make install`") from None
