"""Dagster's web server on loopback, behind a guard: it has no login, so it accepts only requests of its own pages."""

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from kit.core import HOST, InvalidFile, MaskError, UnknownName
from kit.mesh import Context
from kit.notebooks import notebook_html
from kit.orchestration.instance import LOCATION, NOTEBOOK_PAGE, WEB_ROOT
from kit.storage import Store

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class NotebookApp:
    """Serves `NOTEBOOK_PAGE?path=…` for the executed copies below a storage folder, and passes all else to another app.

    Dagster's own page for them does not sanitize outputs, loads scripts from other servers, and serves only files below
    the root of the mesh.
    """

    def __init__(self, app: App, storage: Path) -> None:
        self.app = app
        self.runs, self.store = (storage / "runs").resolve(), Store(storage)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request; a file that cannot be shown is status 404 or 403 with the reason."""
        if scope["type"] != "http" or scope["path"] != NOTEBOOK_PAGE:
            await self.app(scope, receive, send)
            return
        path = parse_qs(scope["query_string"].decode("latin-1")).get("path", [""])[0]
        status, kind = 200, "text/html"
        try:
            text = await asyncio.to_thread(self.page, path)
        except (UnknownName, InvalidFile, MaskError) as error:
            status, kind, text = 403 if isinstance(error, MaskError) else 404, "text/plain", f"{error}\n"
        headers = [(b"content-type", f"{kind}; charset=utf-8".encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})

    def page(self, path: str) -> str:
        """Return the page of an executed copy; raises `UnknownName` for any other file, `InvalidFile` for a broken one.

        One that may show columns which are hidden today raises `MaskError`.
        """
        file = Path(path.replace("\0", "")).resolve()
        if not file.is_relative_to(self.runs) or file.suffix != ".ipynb" or not file.is_file():
            raise UnknownName("no executed notebook of this mesh; its run may have been pruned")
        product, run_id, *_ = file.relative_to(self.runs).parts
        self.store.refuse_exposed_run(product, run_id)
        return notebook_html(file)


class StartPage:
    """Leads a bare path to the web UI: the root to the catalog of all assets, any other one to the page of that path.

    Dagster's own page for paths that it does not know is the graph of all assets. The answers are relative, so that they hold
    behind another server too.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request for a page outside of the web UI, and pass on all others."""
        place = self.place(scope["path"]) if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") else ""
        if not place:
            await self.app(scope, receive, send)
            return
        query = scope.get("query_string", b"")
        location = quote(place).encode() + (b"?" + query if query else b"")
        await send({"type": "http.response.start", "status": 307, "headers": [(b"location", location)]})
        await send({"type": "http.response.body", "body": b""})

    @staticmethod
    def place(path: str) -> str:
        """Return where a path leads, relative to it; empty for one of the web UI."""
        root = WEB_ROOT.lstrip("/")
        if path == f"{WEB_ROOT}/":
            return START
        if path.rstrip("/") in ("", WEB_ROOT):
            return f"{root}/{START}"
        if path.startswith((f"{WEB_ROOT}/", "//")):
            return ""
        return "../" * (path.count("/") - 1) + root + path


START = "assets"
"""The page of the web UI with which it opens: all assets, by domain."""

_NAMES = (HOST, "localhost")
_ONCE = ("host", "origin", "content-type")
# A page loads nothing from other machines, and no other page may frame it.
_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' ws: data: blob:; frame-ancestors 'self'; form-action 'self'"
)
# An executed notebook may contain hostile text from its data: it is shown, its scripts never run.
_NOTEBOOK_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"


class Guard:
    """Refuses requests that do not come from a page of this server, and methods other than GET, HEAD and POST of JSON.

    A foreign page can make a browser send requests here (cross-site request forgery, DNS rebinding). So the `Host` must
    be this server, an `Origin`, if present, must be its own, and a change must be a POST of JSON, which a browser does not
    send to another origin without asking it.
    """

    def __init__(self, app: App, port: int) -> None:
        self.app = app
        self.hosts = {f"{name}:{port}" for name in _NAMES}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with a reason; add the content security policy to each answer."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        status, problem = self.refusal(scope)
        if problem and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": problem.encode()[:120].decode(errors="ignore")})
        elif problem:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": f"{problem}\n".encode()})
        else:
            policy = _NOTEBOOK_POLICY if scope["path"] == NOTEBOOK_PAGE else _POLICY
            await self.app(scope, receive, _with_header(send, b"content-security-policy", policy.encode()))

    def refusal(self, scope: Message) -> tuple[int, str]:
        """Return status and reason of the refusal; an empty reason for a request that may pass."""
        headers: dict[str, str] = {}
        for name, value in ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]):
            if name in headers and name in _ONCE:
                return 400, f"the header '{name}' occurs twice"
            headers[name] = value
        host, origin = headers.get("host", ""), headers.get("origin")
        allowed = ", ".join(sorted(self.hosts))
        if host.lower() not in self.hosts:
            return 403, f"the host '{host}' is not this server; use {allowed}"
        if origin is not None and origin not in {f"http://{name}" for name in self.hosts}:
            return 403, f"requests from '{origin}' are not allowed; only those of {allowed} are"
        if scope["type"] == "websocket":
            return (0, "") if origin is not None else (403, "a websocket needs an Origin")
        method, kind = scope["method"], headers.get("content-type", "").partition(";")[0].strip().lower()
        if method not in ("GET", "HEAD", "POST"):
            return 405, f"{method} is not allowed; use GET or POST"
        if scope["path"].rstrip("/").endswith("/graphql") and method != "POST":
            return 405, "GraphQL takes POST requests of JSON only"
        if method == "POST" and kind != "application/json":
            return 415, f"a POST of '{kind or 'nothing'}' is not allowed; send application/json"
        return 0, ""


def _with_header(send: Send, name: bytes, value: bytes) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (name, value)]}
        await send(message)

    return sending


def serve(context: Context, home: str, bound: socket.socket, code_socket: Path) -> None:
    """Serve the web UI of the instance in `home` on a bound socket, for the code server at `code_socket`, until stopped."""
    import uvicorn

    from kit.orchestration.dagster_internals import web_app

    with web_app(home, WEB_ROOT, code_socket, LOCATION) as app:
        guarded = Guard(StartPage(NotebookApp(app, context.config.storage)), bound.getsockname()[1])
        uvicorn.run(guarded, fd=bound.fileno(), log_level="warning")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--file-descriptor", type=int, required=True)
    parser.add_argument("--code-socket", type=Path, required=True)
    arguments = parser.parse_args(sys.argv[1:])
    inherited = socket.socket(fileno=arguments.file_descriptor)
    serve(Context.load(), os.environ["DAGSTER_HOME"], inherited, arguments.code_socket)
