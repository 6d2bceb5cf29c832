"""`kit dev`: code server, daemon and web server of the mesh, started together and ended together."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kit.core import HOST, Busy, Config, KitError, Processes, SingleInstance, end_by_interrupt, free_port, to_json
from kit.orchestration.instance import LOCATION, home, instance, sweep

_SWEEP_SECONDS = 10


def place(config: Config) -> SingleInstance:
    """Where the one `kit dev` of a mesh tells its address."""
    return SingleInstance(home(config) / "dev")


@contextmanager
def servers(config: Config, port: int) -> "Iterator[Servers]":
    """Run the mesh's servers until the block ends; raises `Busy` when they run already, `KitError` when they fail.

    From then on this process takes being asked to end, in whatever way, as a `KeyboardInterrupt`.
    """
    _need_web_server()
    end_by_interrupt()
    single = place(config)
    with single.held() as held:
        if not held:
            at = f" at {single.told}" if single.told else ""
            raise Busy(f"Dagster runs already for this mesh{at} (process {single.process}); stop it first")
        # A new home that several processes open first at once is broken for good: this one does it alone.
        with instance(config) as opened:
            started = Servers(config, free_port(port), lambda: sweep(config, opened))
            try:
                started.start()
                single.tell(started.address)
                yield started
            finally:
                started.stop()


class Servers:
    """The three processes and how they are doing."""

    def __init__(self, config: Config, port: int, sweep: Callable[[], object]) -> None:
        self.address = f"http://{HOST}:{port}"
        self.logs = place(config).folder
        self._sweep = sweep
        self._port = port
        self._code_port = free_port(0)
        self._root = config.root
        environment = {"DAGSTER_HOME": str(home(config)), "DAGSTER_DISABLE_TELEMETRY": "1"}
        self._processes = Processes(config, self.logs, environment)

    def start(self) -> None:
        """Start all and wait until the web server answers; raises `KitError` with what a process said at its end."""
        code = ["-m", "dagster", "code-server", "start", "--module-name", "kit.orchestration.definitions", "--host", HOST]
        code += ["--port", str(self._code_port), "--location-name", LOCATION, "--working-directory", str(self._root)]
        self._processes.spawn("code", [*code, "--use-python-environment-entry-point", "--log-level", "warning"])
        self._processes.wait_for("code", self._code_port)
        workspace = self.logs / "workspace.yaml"
        place = {"host": HOST, "port": self._code_port, "location_name": LOCATION}
        workspace.write_text(to_json({"load_from": [{"grpc_server": place}]}), encoding="utf-8")
        self._processes.spawn(
            "web", ["-m", "kit.orchestration.webserver", "--port", str(self._port), "--code-port", str(self._code_port)]
        )
        self._processes.wait_for("web", self._port)
        self._processes.spawn(
            "daemon", ["-m", "dagster._daemon", "run", "--log-level", "warning", "--workspace", str(workspace)]
        )

    def watch(self) -> None:
        """Return never, unless a process ends: then raises `KitError`. Runs of killed processes are cleared meanwhile."""
        swept = time.monotonic()
        while True:
            self._processes.check()
            if time.monotonic() - swept > _SWEEP_SECONDS:
                self._sweep()
                swept = time.monotonic()
            time.sleep(0.3)

    def stop(self) -> None:
        """End all, each before what it talks to."""
        self._processes.stop()


def _need_web_server() -> None:
    try:
        import dagster_webserver  # noqa: F401
    except ImportError:
        raise KitError("`kit dev` needs the package dagster-webserver; run `make install`") from None
