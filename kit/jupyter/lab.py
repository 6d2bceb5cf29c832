"""`kit lab`: JupyterLab over the mesh, with settings of its own in front of those of the user."""

import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from kit.core import HOST, Busy, Config, KitError, Processes, SingleInstance, end_by_interrupt, free_port, to_json

START = "notebooks/00_start.ipynb"

_EXTENSIONS = Path(__file__).parent / "labextensions"
_STOP_SECONDS = 40  # kernels first, and Dagster if it was asked for
# Without these it asks whether it may fetch news, and looks for newer versions of itself.
_QUIET = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


def place(config: Config) -> SingleInstance:
    """Where the JupyterLab of this clone has its state: a clone is one person's, and nobody else may read the token."""
    folder = config.root / ".mesh" / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return SingleInstance(folder)


@contextmanager
def lab(config: Config, port: int, *, browser: bool) -> "Iterator[Lab]":
    """Run JupyterLab until the block ends; raises `Busy` when it runs already, `KitError` when it fails.

    From then on this process takes being asked to end, in whatever way, as a `KeyboardInterrupt`.
    """
    if find_spec("jupyterlab") is None:
        raise KitError("`kit lab` needs the package jupyterlab; run `make install`")
    end_by_interrupt()
    single = place(config)
    with single.held() as held:
        if not held:
            raise Busy(f"JupyterLab starts or stops for this mesh in process {single.process}; try again")
        started = Lab(config, single.folder, free_port(port), browser)
        try:
            started.start()
            single.tell(started.address)
            yield started
        finally:
            started.stop()


class Lab:
    """A JupyterLab and how it is doing; its `address` holds the token that lets a browser in."""

    def __init__(self, config: Config, folder: Path, port: int, browser: bool) -> None:
        token = secrets.token_urlsafe(24)
        self.address = f"http://{HOST}:{port}/?token={token}"
        self.log = folder / "lab.log"
        self._port = port
        self._settings = folder / "config"
        self._files = _files(config, folder, {"port": port, "open_browser": browser}, token)
        environment = {
            # What stands in this folder holds against what the user has set; all else stays as it is.
            "JUPYTER_CONFIG_PATH": _first(self._settings, "JUPYTER_CONFIG_PATH"),
            # The kernel `python3` is the one of this environment, whatever kernels the user has installed,
            "JUPYTER_PATH": _first(Path(sys.prefix, "share", "jupyter"), "JUPYTER_PATH"),
            # and `kit` in a terminal is this one.
            "PATH": _first(Path(sys.executable).parent, "PATH"),
        }
        self._processes = Processes(config, folder, environment)

    def start(self) -> None:
        """Start it and wait until it answers; raises `KitError` with what it said at its end."""
        for name, content in self._files.items():
            path = self._settings / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(to_json(content), encoding="utf-8")
        self._processes.spawn("lab", ["-m", "jupyterlab"])
        self._processes.wait_for("lab", self._port)

    def watch(self) -> None:
        """Return never, unless it ends: then raises `KitError`."""
        while True:
            self._processes.check()
            time.sleep(0.3)

    def stop(self) -> None:
        """End it, its kernels and all it has started."""
        self._processes.stop(signal.SIGTERM, _STOP_SECONDS)


def _files(config: Config, folder: Path, server: Mapping[str, object], token: str) -> dict[str, object]:
    """The configuration of Jupyter, by file."""
    traits = {
        "ServerApp": {
            **server, "ip": HOST, "port_retries": 0, "base_url": "/", "root_dir": str(config.root), "allow_root": True,
            # Loopback and the token are the protection; nothing the user has set for other servers may lift it.
            "allow_origin": "", "allow_origin_pat": "", "allow_remote_access": False, "disable_check_xsrf": False,
            "certfile": "", "keyfile": "",
        },
        "IdentityProvider": {"token": token},
        "PasswordIdentityProvider": {"hashed_password": ""},
        "LabApp": {
            "default_url": f"/lab/tree/{START}" if (config.root / START).is_file() else "/lab",
            "workspaces_dir": str(folder / "workspaces"),
            "extra_labextensions_path": [str(_EXTENSIONS)],
        },
    }  # fmt: skip
    return {
        # The same twice: JupyterLab's own file counts more than the server's.
        "jupyter_server_config.json": traits,
        "jupyter_lab_config.json": traits,
        "jupyter_server_config.d/kit.json": {"ServerApp": {"jpserver_extensions": {"kit.jupyter.server_extension": True}}},
        "labconfig/default_setting_overrides.json": _QUIET,
    }


def _first(folder: Path, variable: str) -> str:
    """A search path that begins with the folder and goes on as it is."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get(variable)])])
