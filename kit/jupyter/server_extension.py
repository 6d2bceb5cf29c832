"""Extension of the Jupyter server of `kit lab`: Dagster below its address, and new notebooks."""

import atexit
import html
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server_proxy.handlers import AddSlashHandler, ProxyHandler
from tornado import web

from kit.core import Config, KitError, Processes, erase_mask_key
from kit.jupyter import lab
from kit.mesh import Context
from kit.orchestration import dev_server
from kit.orchestration.instance import WEB_ROOT
from kit.scaffold import new_blank_notebook

_PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>Dagster</title>{refresh}<style>
:root {{ color-scheme: light dark }}
body {{ font: 15px system-ui, sans-serif; margin: 20vh auto; max-width: 46em; padding: 0 1em }}
pre {{ font-size: 12px; overflow: auto; white-space: pre-wrap }}
</style></head><body>{body}</body></html>
"""


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Add the handlers; Jupyter calls this when it starts."""
    erase_mask_key()
    config = Context.load().config
    dagster = Dagster(config)
    atexit.register(dagster.stop)
    base = server.web_app.settings["base_url"].rstrip("/")
    server.web_app.add_handlers(
        ".*",
        [
            (f"{base}{WEB_ROOT}(/.*)", _Proxy, {"dagster": dagster}),
            (f"{base}{WEB_ROOT}", AddSlashHandler),
            (f"{base}/kit/notebooks", _Notebooks, {"mesh_config": config}),
        ],
    )


class Dagster:
    """Dagster of the mesh: that of a running `kit dev`, else one that this server starts at the first request."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._own: Processes | None = None

    def address(self) -> str | None:
        """Return its address, None while it starts; raises `KitError` with the end of its log when it cannot start."""
        if address := dev_server.place(self._config).address:
            return address
        if self._own is None:
            self._own = Processes(self._config, lab.place(self._config).folder, {})
            self._own.spawn("dagster", ["-m", "kit", "dev"], masks=True)
        try:
            self._own.check()
        except KitError:
            self._own = None  # the next request starts another one
            raise
        return None

    def stop(self) -> None:
        """End the Dagster that this server has started."""
        if self._own:
            self._own.stop()


class _Proxy(ProxyHandler):  # type: ignore[misc]
    """Dagster below the address of JupyterLab, for users who are logged in there."""

    SUPPORTED_METHODS = ("GET", "HEAD", "POST")

    def initialize(self, dagster: Dagster) -> None:
        self.dagster = dagster
        self.proxy_base, self.absolute_url = WEB_ROOT, True
        self.dagster_host = ""

    async def http_get(self, path: str) -> None:
        try:
            address = self.dagster.address()
        except KitError as error:
            self.set_status(503)
            self._show(f"<p>Dagster did not start. <a href=''>Try again</a></p><pre>{html.escape(str(error))}</pre>")
            return
        if address is None:
            self.set_status(202)
            self._show("<p>Dagster is starting …</p>", '<meta http-equiv="refresh" content="1">')
        else:
            await self.proxy(*self._at(address), path)

    head = post = http_get

    async def open(self, path: str) -> None:
        address = self.dagster.address()
        if address is None:
            self.close(1013, "Dagster is starting")
        else:
            await self.proxy_open(*self._at(address), path)

    def proxy_request_headers(self) -> Any:
        """Return the headers with Dagster's host and origin in place of Lab's, since its guard accepts only its own.

        Jupyter has refused foreign hosts already; a foreign origin is passed on, and the guard refuses it.
        """
        headers = super().proxy_request_headers()
        if headers.get("Origin") == f"{self.request.protocol}://{self.request.host}":
            headers["Origin"] = f"http://{self.dagster_host}"
        headers["Host"] = self.dagster_host
        for name in ("Cookie", "Authorization"):  # they belong to Lab
            headers.pop(name, None)
        return headers

    def _at(self, address: str) -> tuple[str, int]:
        self.dagster_host = address.removeprefix("http://")
        host, _, port = self.dagster_host.partition(":")
        return host, int(port)

    def _show(self, body: str, refresh: str = "") -> None:
        self.finish(_PAGE.format(body=body, refresh=refresh))


class _Notebooks(APIHandler):
    """Creates a notebook that can become a port."""

    def initialize(self, mesh_config: Config) -> None:
        self.mesh_config = mesh_config

    @web.authenticated
    def post(self) -> None:
        try:
            self.finish({"path": str(new_blank_notebook(self.mesh_config).relative_to(self.mesh_config.root))})
        except KitError as error:
            self.set_status(400)
            self.finish({"message": str(error)})
