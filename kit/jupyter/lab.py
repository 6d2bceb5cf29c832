"""`kit lab`: JupyterLab for the mesh, with settings that override those of the user."""

import os
import secrets
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

from kit.core import (
    HOST,
    Config,
    InvalidFile,
    KitError,
    Processes,
    Server,
    SingleInstance,
    end_by_interrupt,
    read_json,
    to_json,
)

START = "notebooks/00_start.ipynb"

_EXTENSIONS = Path(__file__).parent / "labextensions"
_STOP_SECONDS = 40  # it ends its kernels first, and Dagster if it has started it
# By default it asks whether it may fetch news, and looks for newer versions of itself.
_QUIET = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


def place(config: Config) -> SingleInstance:
    """Return the lock and address of this clone's JupyterLab; its folder is private, since it contains the token."""
    folder = config.root / ".mesh" / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return SingleInstance("JupyterLab", folder)


@contextmanager
def lab(config: Config, port: int, *, browser: bool) -> "Iterator[Lab]":
    """Run JupyterLab until the block ends; raises `Busy` when it runs already, `KitError` when it fails.

    From now on SIGTERM and SIGHUP raise `KeyboardInterrupt` in this process.
    """
    if find_spec("jupyterlab") is None:
        raise KitError("`kit lab` needs the package jupyterlab; run `make install`")
    end_by_interrupt()
    with place(config).held(), Lab(config, port, browser).running(place(config)) as server:
        yield server


class Lab(Server):
    """A JupyterLab whose `address` contains the token that admits a browser."""

    def __init__(self, config: Config, port: int, browser: bool) -> None:
        token = secrets.token_urlsafe(24)
        folder = place(config).folder
        self._token = token
        self._settings = folder / "config"
        self._files = _files(config, folder, {"port": port, "open_browser": browser}, token)
        environment = {
            # Settings in this folder override those of the user; all others stay in effect.
            "JUPYTER_CONFIG_PATH": _prepend(self._settings, "JUPYTER_CONFIG_PATH"),
            # The kernel `python3` is the one of this environment, whatever kernels the user has installed,
            "JUPYTER_PATH": _prepend(Path(sys.prefix, "share", "jupyter"), "JUPYTER_PATH"),
            # and so is `kit` in a terminal.
            "PATH": _prepend(Path(sys.executable).parent, "PATH"),
        }
        super().__init__("", Processes(config, folder, environment))

    def start(self) -> None:
        """Start it and wait until it answers; raises `KitError` with the end of its log when it ends."""
        for name, content in self._files.items():
            path = self._settings / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(to_json(content), encoding="utf-8")
        self.processes.spawn("lab", ["-m", "jupyterlab"], masks=True)
        self.processes.wait_for("lab", self._listens)

    def _listens(self) -> bool:
        """Whether the server listens, by the file that it writes then; its port may be another one than was asked for."""
        for path in Path(jupyter_runtime_dir()).glob("jpserver-*.json"):
            with suppress(InvalidFile):
                server = read_json(path)
                if server["token"] == self._token:
                    self.address = f"http://{HOST}:{server['port']}/?token={self._token}"
                    return True
        return False

    def stop(self) -> None:
        """End it, its kernels and all other processes it has started."""
        self.processes.stop(signal.SIGTERM, _STOP_SECONDS)


def _files(config: Config, folder: Path, server: Mapping[str, object], token: str) -> dict[str, object]:
    """Return the configuration of Jupyter, by file."""
    traits = {
        "ServerApp": {
            **server, "ip": HOST, "base_url": "/", "root_dir": str(config.root), "allow_root": True,
            # Loopback and the token protect the server; settings of the user for other servers must not disable them.
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
        # The same twice: JupyterLab's own file overrides that of the server.
        "jupyter_server_config.json": traits,
        "jupyter_lab_config.json": traits,
        "jupyter_server_config.d/kit.json": {"ServerApp": {"jpserver_extensions": {"kit.jupyter.server_extension": True}}},
        "labconfig/default_setting_overrides.json": _QUIET,
    }


def _prepend(folder: Path, variable: str) -> str:
    """Return the search path of an environment variable with the folder in front."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get(variable)])])
