"""Requests to servers of other systems: one at a time, with a limit of time, and nothing of a secret in what they raise."""

import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from kit.core import KitError, __version__

_LARGEST = 1_000_000
"""Bytes of an answer that are read; the kit needs none that is longer."""

_WAITS = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each further attempt of a request that waits for its server."""

_LONGEST_WAIT = 60.0


class Unreachable(KitError):
    """A server does not answer, or not in time; it may do later."""


@dataclass(frozen=True)
class Answer:
    """The answer of a server: status, headers with names in small letters, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def passes(self) -> bool:
        """Whether the same request may succeed later: the server is overloaded, or it has failed."""
        return self.status in (408, 425, 429) or self.status >= 500

    @property
    def reason(self) -> str:
        """The status with the beginning of the body, as one line."""
        text = " ".join(self.body[:300].decode(errors="replace").split())
        return f"{self.status} {text[:200]}".strip()

    def json(self) -> Any:
        """Return the body as a JSON value, None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class _NoRedirect(HTTPRedirectHandler):
    """A redirected POST would become a GET, and the token would go to another server."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = build_opener(_NoRedirect)


def request(
    method: str, url: str, value: Any = None, *, token: str = "", seconds: float = 10, kind: str = "application/json"
) -> Answer:
    """Send a JSON value, and `token` as a bearer token; returns the answer, whatever its status.

    `seconds` limit the wait for each part of the answer. Raises `Unreachable` when there is none.
    """
    headers = {"Content-Type": kind, "Accept": "application/json", "User-Agent": f"data-mesh-kit/{__version__}"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    data = None if value is None else json.dumps(value, ensure_ascii=False).encode()
    try:
        with _opener.open(Request(url, data, headers, method=method), timeout=seconds) as answer:  # noqa: S310  see `address`
            return _answer(answer.status, answer.headers, answer.read(_LARGEST))
    except HTTPError as error:
        with error:
            return _answer(error.code, error.headers, error.read(_LARGEST))
    except (URLError, HTTPException, OSError) as error:
        raise Unreachable(_reason(error, seconds)) from None


def patient_request(method: str, url: str, value: Any = None, *, token: str = "", kind: str = "application/json") -> Answer:
    """As `request`, but a server that is overloaded or does not answer is asked again, after the time that it names.

    Returns the last answer, or raises `Unreachable`, after five attempts.
    """
    for wait in _WAITS:
        try:
            answer = request(method, url, value, token=token, kind=kind)
        except Unreachable:
            time.sleep(wait)
            continue
        if not answer.passes:
            return answer
        named = answer.headers.get("retry-after", "")
        time.sleep(min(float(named), _LONGEST_WAIT) if named.isdigit() else wait)
    return request(method, url, value, token=token, kind=kind)


def address(url: str, variable: str) -> str:
    """Return the URL of a server without a slash at its end; raises `KitError` for one of no server, naming `variable`."""
    try:
        parts = urlsplit(url.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment:
        raise KitError(
            f"{variable} is '{shown(url)}', which is no address of a server; write one such as http://localhost:5000"
        )
    if parts.username or parts.password:
        raise KitError(f"{variable} has a user or password in it; give the token in an environment variable")
    return url.strip().rstrip("/")


def shown(url: str) -> str:
    """Return a URL as messages show it: without user and password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _answer(status: int, headers: Any, body: bytes) -> Answer:
    return Answer(status, {name.lower(): value for name, value in headers.items()}, body)


def _reason(error: Exception, seconds: float) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer in {seconds:g} s"
    if isinstance(cause, socket.gaierror):
        return "its name is not known"
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return f"the connection was lost ({type(cause).__name__})"
