"""`kit lab`: JupyterLab over the mesh, with settings of its own in front of those of the user."""

import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from kit.config import Config
from kit.errors import Busy, KitError
from kit.files import lock, to_json
from kit.processes import HOST, Processes, end_by_interrupt, free_port

START = "notebooks/00_start.ipynb"
# Without these it asks whether it may fetch news, and looks for newer versions of itself.
_QUIET = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
_STOP_SECONDS = 40  # kernels first, and Dagster if it was asked for


@contextmanager
def lab(config: Config, port: int, *, browser: bool) -> "Iterator[Lab]":
    """Run JupyterLab until the block ends; raises `Busy` with the address when it runs already, `KitError` when it fails.

    From then on this process takes being asked to end, in whatever way, as a `KeyboardInterrupt`.
    """
    _need_jupyterlab()
    end_by_interrupt()
    place = folder(config)
    with lock(place / "lock", wait=False) as held:
        if not held:
            raise Busy(f"JupyterLab runs already for this mesh: {_address(place)}")
        running = Lab(config, place, free_port(port))
        try:
            running.start(browser)
            yield running
        finally:
            running.stop()


class Lab:
    """The JupyterLab of a mesh; its `address` holds the token that lets a browser in."""

    def __init__(self, config: Config, folder: Path, port: int) -> None:
        self._token = secrets.token_urlsafe(24)
        self.address = f"http://{HOST}:{port}/?token={self._token}"
        self.logs = folder
        self._config = config
        self._port = port
        settings = folder / "config"
        # Jupyter reads this folder last, so that what stands there holds; all else stays as the user has it.
        places = [str(settings), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
        programs = [str(Path(sys.executable).parent), *filter(None, [os.environ.get("PATH")])]
        environment = {
            "JUPYTER_CONFIG_PATH": os.pathsep.join(places),
            "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel `python3` is the one of this environment
            "PATH": os.pathsep.join(programs),
        }
        self._settings = settings
        self._processes = Processes(config, folder, environment)

    def start(self, browser: bool) -> None:
        """Start it and wait until it answers; raises `KitError` with what it said at its end."""
        (self._settings / "labconfig").mkdir(parents=True, exist_ok=True)
        (self._settings / "labconfig" / "default_setting_overrides.json").write_text(to_json(_QUIET), encoding="utf-8")
        text = to_json(self._jupyter_config(browser))
        for name in ("jupyter_server_config.json", "jupyter_lab_config.json"):
            (self._settings / name).write_text(text, encoding="utf-8")
        extensions = self._settings / "jupyter_server_config.d"
        extensions.mkdir(exist_ok=True)
        (extensions / "kit.json").write_text(to_json({"ServerApp": {"jpserver_extensions": {"kit.lab_server": True}}}))
        self._processes.spawn("lab", ["-m", "jupyterlab"])
        self._processes.wait_for("lab", self._port)
        (self.logs / "address").write_text(self.address, encoding="utf-8")

    def watch(self) -> None:
        """Return never, unless it ends: then raises `KitError`."""
        while True:
            self._processes.check()
            time.sleep(0.3)

    def stop(self) -> None:
        """End it, its kernels and all it has started."""
        (self.logs / "address").unlink(missing_ok=True)
        self._processes.stop(signal.SIGTERM, _STOP_SECONDS)

    def _jupyter_config(self, browser: bool) -> dict[str, object]:
        start = f"/lab/tree/{START}" if (self._config.root / START).is_file() else "/lab"
        return {
            "ServerApp": {
                "ip": HOST, "port": self._port, "port_retries": 0, "base_url": "/", "certfile": "", "keyfile": "",
                "allow_origin": "", "allow_origin_pat": "", "allow_remote_access": False, "disable_check_xsrf": False,
                "allow_root": True, "root_dir": str(self._config.root), "open_browser": browser,
            },
            "IdentityProvider": {"token": self._token},
            "PasswordIdentityProvider": {"hashed_password": ""},
            "LabApp": {
                "default_url": start, "workspaces_dir": str(self.logs / "workspaces"),
                "extra_labextensions_path": [str(Path(__file__).parent / "labextensions")],
            },
        }  # fmt: skip


def folder(config: Config) -> Path:
    """Where JupyterLab's state lies: in the clone, which one person works in, and for nobody else to read."""
    found = config.root / ".mesh" / "lab"
    found.mkdir(parents=True, exist_ok=True)
    found.chmod(0o700)
    return found


def _address(place: Path) -> str:
    try:
        return (place / "address").read_text(encoding="utf-8")
    except OSError:
        return "it is starting or stopping"


def _need_jupyterlab() -> None:
    if find_spec("jupyterlab") is None:
        raise KitError("`kit lab` needs the package jupyterlab; run `make install`")
