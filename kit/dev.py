"""`kit dev`: code server, daemon and web server of the mesh, started together and ended together."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from kit.config import Config
from kit.errors import Busy, KitError
from kit.files import lock, to_json
from kit.instance import LOCATION, home, instance, sweep
from kit.web import HOST, free_port

_SWEEP_SECONDS = 10
_STOP_SECONDS = 10
_START_SECONDS = 120


@contextmanager
def servers(config: Config, port: int) -> "Iterator[Servers]":
    """Run the mesh's servers until the block ends; raises `Busy` when they run already, `KitError` when they fail.

    From then on this process takes being asked to end, in whatever way, as a `KeyboardInterrupt`.
    """
    _need_web_server()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    path = home(config) / ".dev.lock"
    with lock(path, wait=False) as held:
        if not held:
            raise Busy(f"`kit dev` runs already for this mesh (process {path.read_text() or '?'}); stop it first")
        # A new home that several processes open first at once is broken for good: this one does it alone.
        with instance(config) as opened:
            started = Servers(config, free_port(port), lambda: sweep(config, opened))
            try:
                started.start()
                yield started
            finally:
                started.stop()


class Servers:
    """The three processes and how they are doing."""

    def __init__(self, config: Config, port: int, sweep: Callable[[], object]) -> None:
        self.address = f"http://{HOST}:{port}"
        self.logs = home(config) / "dev"
        self._sweep = sweep
        self._port = port
        self._code_port = free_port(0)
        self._root = config.root
        self._environment = {
            **os.environ,
            "DAGSTER_HOME": str(home(config)),
            "KIT_ROOT": str(config.root),
            "KIT_STORAGE": str(config.storage),
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start all and wait until the web server answers; raises `KitError` with what a process said at its end."""
        self.logs.mkdir(parents=True, exist_ok=True)
        code = ["-m", "dagster", "code-server", "start", "--module-name", "kit.definitions", "--host", HOST]
        code += ["--port", str(self._code_port), "--location-name", LOCATION, "--working-directory", str(self._root)]
        self._spawn("code", [*code, "--use-python-environment-entry-point", "--log-level", "warning"])
        self._wait_for("code", self._code_port)
        workspace = self.logs / "workspace.yaml"
        place = {"host": HOST, "port": self._code_port, "location_name": LOCATION}
        workspace.write_text(to_json({"load_from": [{"grpc_server": place}]}), encoding="utf-8")
        self._spawn("web", ["-m", "kit.web", "--port", str(self._port), "--code-port", str(self._code_port)])
        self._wait_for("web", self._port)
        self._spawn("daemon", ["-m", "dagster._daemon", "run", "--log-level", "warning", "--workspace", str(workspace)])

    def watch(self) -> None:
        """Return never, unless a process ends: then raises `KitError`. Runs of killed processes are cleared meanwhile."""
        swept = time.monotonic()
        while True:
            self._check()
            if time.monotonic() - swept > _SWEEP_SECONDS:
                self._sweep()
                swept = time.monotonic()
            time.sleep(0.3)

    def stop(self) -> None:
        """End all, each before what it talks to; those that do not go are killed."""
        for process in reversed(self._processes.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
            # What it started in turn (run workers above all) ends with it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _spawn(self, name: str, arguments: list[str]) -> None:
        with (self.logs / f"{name}.log").open("wb") as log:
            # A session of its own: Ctrl-C reaches this process only, which then ends the others in order.
            self._processes[name] = subprocess.Popen(
                [sys.executable, *arguments], cwd=self._root, env=self._environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_end_with_parent,
            )  # fmt: skip

    def _check(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                log = self.logs / f"{name}.log"
                said = log.read_text(errors="replace").strip().splitlines()[-12:]
                raise KitError(f"the {name} process ended with code {process.returncode}; its log, {log}:\n" + "\n".join(said))

    def _wait_for(self, name: str, port: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            self._check()
            try:
                socket.create_connection((HOST, port), timeout=5).close()
                return
            except OSError:
                time.sleep(0.2)
        raise KitError(f"the {name} process did not answer within {_START_SECONDS} s; its log: {self.logs / name}.log")


def _end_with_parent() -> None:
    """Ask Linux to end this process when `kit dev` is killed, since it can then no longer do so."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _need_web_server() -> None:
    try:
        import dagster_webserver  # noqa: F401
    except ImportError:
        raise KitError("`kit dev` needs the package dagster-webserver; run `make install`") from None
