"""A stand-in for an endpoint of the OpenAI API on loopback: it keeps what it was asked and answers as a test says."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

HTML = b"<html><body>Sign in to continue</body></html>"


@dataclass
class Asked:
    """One request: its path, its key, its JSON value, and the whole of it as bytes."""

    path: str
    key: str
    value: Any
    raw: bytes

    @property
    def texts(self) -> str:
        """The texts of its messages."""
        return "\n".join(message["content"] for message in self.value["messages"])


@dataclass
class ModelServer:
    """`replies` are the status and the body of the next answers; without one left, `answer` makes the text of an answer."""

    url: str = ""
    requests: list[Asked] = field(default_factory=list)
    replies: list[tuple[int, bytes]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    answer: Callable[[Asked], str] = lambda asked: f"answer to {len(asked.texts)} characters"
    tokens: tuple[int, int] | None = (100, 20)
    finish: str = "stop"
    seconds: float = 0

    def completion(self, asked: Asked) -> bytes:
        """The body of an answer, as the OpenAI API has it."""
        message = {"role": "assistant", "content": self.answer(asked), "refusal": None}
        data: dict[str, Any] = {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": f"{asked.value['model']}-0613",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}],
        }  # fmt: skip
        if self.tokens:
            given, made = self.tokens
            data["usage"] = {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}
        return json.dumps(data).encode()

    def settings(self, name: str, **more: object) -> str:
        """The table of a model at this server for pyproject.toml."""
        values = {"base_url": self.url, "model": "small", **more}
        return f"\n[tool.kit.models.{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """Run a stand-in until the block ends."""
    stand_in = ModelServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            key = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            head = f"{self.requestline}\n{self.headers}".encode()
            asked = Asked(self.path, key, json.loads(raw), head + raw)
            stand_in.requests.append(asked)
            time.sleep(stand_in.seconds)
            status, body = stand_in.replies.pop(0) if stand_in.replies else (200, stand_in.completion(asked))
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if body == HTML else "application/json")
            for name, text in stand_in.headers.items() if status >= 300 else ():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        stand_in.url = f"http://127.0.0.1:{server.server_port}/v1"
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield stand_in
        finally:
            server.shutdown()


def dead_url() -> str:
    """The address of an endpoint that refuses connections."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    return f"http://127.0.0.1:{port}/v1"
