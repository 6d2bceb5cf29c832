"""`kit dev`: code server, daemon and web server of the mesh, started and stopped together."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kit.core import HOST, Config, KitError, Processes, Server, SingleInstance, end_by_interrupt, free_port, to_json
from kit.orchestration.instance import LOCATION, home, instance, sweep

_SWEEP_SECONDS = 10


def place(config: Config) -> SingleInstance:
    """Return the lock and address of the mesh's Dagster."""
    return SingleInstance("Dagster", home(config) / "dev")


@contextmanager
def dagster(config: Config, port: int) -> "Iterator[Dagster]":
    """Run Dagster for the mesh until the block ends; raises `Busy` when it runs already, `KitError` when it fails.

    From now on SIGTERM and SIGHUP raise `KeyboardInterrupt` in this process.
    """
    _need_web_server()
    end_by_interrupt()
    # Several processes that open a new home at the same time break it for good: this one opens it alone.
    with place(config).held(), instance(config) as opened:
        server = Dagster(config, free_port(port), lambda: sweep(config, opened))
        with server.running(place(config)):
            yield server


class Dagster(Server):
    """The three processes of Dagster; `sweep` ends the runs of killed processes."""

    def __init__(self, config: Config, port: int, sweep: Callable[[], object]) -> None:
        environment = {"DAGSTER_HOME": str(home(config)), "DAGSTER_DISABLE_TELEMETRY": "1"}
        super().__init__(f"http://{HOST}:{port}", Processes(config, place(config).folder, environment))
        self._sweep = sweep
        self._swept = time.monotonic()
        self._port = port
        self._code_port = free_port(0)
        self._root = config.root

    def start(self) -> None:
        """Start code server, web server and daemon; raises `KitError` when one ends or does not answer."""
        from kit.orchestration.dagster_internals import DAEMON_MODULE

        code = ["-m", "dagster", "code-server", "start", "--module-name", "kit.orchestration.definitions", "--host", HOST]
        code += ["--port", str(self._code_port), "--location-name", LOCATION, "--working-directory", str(self._root)]
        self.processes.spawn("code", [*code, "--use-python-environment-entry-point", "--log-level", "warning"])
        self.processes.wait_for("code", self._code_port)
        workspace = self.processes.logs / "workspace.yaml"
        code_server = {"host": HOST, "port": self._code_port, "location_name": LOCATION}
        workspace.write_text(to_json({"load_from": [{"grpc_server": code_server}]}), encoding="utf-8")
        ports = ["--port", str(self._port), "--code-port", str(self._code_port)]
        self.processes.spawn("web", ["-m", "kit.orchestration.webserver", *ports])
        self.processes.wait_for("web", self._port)
        self.processes.spawn("daemon", ["-m", DAEMON_MODULE, "run", "--log-level", "warning", "--workspace", str(workspace)])

    def maintain(self) -> None:
        """End the runs of killed processes, every few seconds."""
        if time.monotonic() - self._swept > _SWEEP_SECONDS:
            self._sweep()
            self._swept = time.monotonic()


def _need_web_server() -> None:
    try:
        import dagster_webserver  # noqa: F401
    except ImportError:
        raise KitError("`kit dev` needs the package dagster-webserver; run `make install`") from None
