"""A server on loopback that keeps the requests it gets and answers as a test says."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Received:
    """One request."""

    method: str
    path: str
    token: str
    kind: str
    value: Any


@dataclass
class Receiver:
    """What a server got. `answers` are the statuses of the next requests, 200 when there are none left.

    A status 0 closes the connection without an answer. `seconds` is the time before each answer, `headers` are those of each
    answer that is no success. `reply` returns the status and the value of an answer instead.
    """

    url: str = ""
    requests: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0
    reply: Callable[[Received], tuple[int, Any]] | None = None

    @property
    def values(self) -> list[Any]:
        """The JSON values it got."""
        return [request.value for request in self.requests]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            kind = self.headers.get("Content-Type") or ""
            request = Received(self.command, self.path, token, kind, json.loads(body) if body else None)
            receiver.requests.append(request)
            time.sleep(receiver.seconds)
            status = receiver.answers.pop(0) if receiver.answers else 200
            value: Any = {"status": status}
            if receiver.reply and status == 200:
                status, value = receiver.reply(request)
            if status == 0:
                self.close_connection = True
                return
            content = json.dumps(value).encode()
            self.send_response(status)
            for name, text in receiver.headers.items() if status >= 300 else ():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that went away is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
