"""Executed notebooks in Dagster's web UI: its address for them, answered with a page that runs and loads nothing."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from kit.errors import InvalidFile, UnknownName
from kit.instance import NOTEBOOK_PAGE
from kit.notebook_html import notebook_html

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class NotebookApp:
    """Answers `NOTEBOOK_PAGE?path=…` for the executed copies below a storage folder, and leaves all else to another app.

    Dagster's own page for them is made without cleaning what a notebook shows, reaches for scripts of other servers, and
    knows only files below the root of the mesh.
    """

    def __init__(self, app: App, storage: Path) -> None:
        self.app = app
        self.runs = (storage / "runs").resolve()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, a wrong one with a sentence."""
        if scope["type"] != "http" or scope["path"] != NOTEBOOK_PAGE:
            await self.app(scope, receive, send)
            return
        given = parse_qs(scope["query_string"].decode("latin-1")).get("path", [""])[0]
        status, kind = 200, "text/html"
        try:
            text = await asyncio.to_thread(self.page, given)
        except (UnknownName, InvalidFile) as error:
            status, kind, text = 404, "text/plain", f"{error}\n"
        headers = [(b"content-type", f"{kind}; charset=utf-8".encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})

    def page(self, given: str) -> str:
        """The page of an executed copy; raises `UnknownName` for any other file, `InvalidFile` for one that is broken."""
        path = Path(given.replace("\0", "")).resolve()
        if not path.is_relative_to(self.runs) or path.suffix != ".ipynb" or not path.is_file():
            raise UnknownName("no executed notebook of this mesh; its run may have been pruned")
        return notebook_html(path)
