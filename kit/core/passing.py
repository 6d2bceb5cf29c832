"""Failures that may not occur again on the next attempt: the network, a server in trouble, a lock of another process."""

import errno
import re
from collections.abc import Iterator

from kit.core.errors import Busy, IngestError, NotebookError, PublishConflict, SourceChanged

_BUGS = (NameError, TypeError, AttributeError, ImportError, SyntaxError, AssertionError, LookupError, ArithmeticError)
"""Errors of code: they occur again, whatever was handled when they were raised."""

_NETWORK = "the network failed"
_SLOW = "the other side did not answer in time"
_LOCKED = "another process holds a lock"

_ERRNO = {
    **dict.fromkeys(
        (
            errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ENETDOWN, errno.ENETUNREACH,
            errno.ENETRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH,
        ),
        _NETWORK,
    ),
    errno.ETIMEDOUT: _SLOW,
    **dict.fromkeys((errno.EAGAIN, errno.EDEADLK, errno.EBUSY, errno.ETXTBSY, errno.ENOLCK), _LOCKED),
}  # fmt: skip

_CLASSES = {
    "builtins.ConnectionError": _NETWORK,
    "builtins.TimeoutError": _SLOW,
    "socket.gaierror": _NETWORK,
    "http.client.IncompleteRead": _NETWORK,
    "http.client.RemoteDisconnected": _NETWORK,
    "ftplib.error_temp": "the server asked to try again",
    "requests.exceptions.SSLError": "",  # a certificate does not become valid by waiting
    "requests.exceptions.ConnectionError": _NETWORK,
    "requests.exceptions.Timeout": _SLOW,
    "requests.exceptions.ChunkedEncodingError": _NETWORK,
    "urllib3.exceptions.SSLError": "",
    "urllib3.exceptions.TimeoutError": _SLOW,
    "urllib3.exceptions.NewConnectionError": _NETWORK,
    "urllib3.exceptions.ProtocolError": _NETWORK,
    "urllib3.exceptions.IncompleteRead": _NETWORK,
    "httpx.TimeoutException": _SLOW,
    "httpx.NetworkError": _NETWORK,
    "httpx.RemoteProtocolError": _NETWORK,
    "aiohttp.client_exceptions.ClientConnectionError": _NETWORK,
    "aiohttp.client_exceptions.ServerTimeoutError": _SLOW,
    "botocore.exceptions.ConnectionError": _NETWORK,
    "botocore.exceptions.HTTPClientError": _NETWORK,
    "psycopg.errors.ConnectionException": _NETWORK,
    "psycopg.errors.ConnectionTimeout": _SLOW,
    "psycopg.errors.LockNotAvailable": _LOCKED,
    "psycopg.errors.DeadlockDetected": _LOCKED,
    "psycopg.errors.SerializationFailure": _LOCKED,
}
"""The reason by class, for the class that comes first in the order of an error's bases; empty for one that never passes."""

_CELL_ERRORS = frozenset(
    {
        "ConnectionError", "ConnectionRefusedError", "ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError",
        "TimeoutError", "ConnectTimeout", "ReadTimeout", "ConnectError", "ReadError", "gaierror", "RemoteDisconnected",
        "RemoteProtocolError", "ChunkedEncodingError", "IncompleteRead",
    }
)  # fmt: skip
"""Names of exceptions by which a cell of a notebook or another program reports the network: their objects stay there."""

_CELL_STATUSES = {
    "HTTPError": re.compile(r"(?:HTTP Error )?(\d{3})\b"),  # of urllib and requests
    "HTTPStatusError": re.compile(r"(?:Server|Client) error '(\d{3})\b"),  # of httpx
    "ClientResponseError": re.compile(r"(\d{3}), message="),  # of aiohttp
    "ClientError": re.compile(r"An error occurred \((\d{3})\)"),  # of botocore
}
"""The HTTP status at the start of the text of these exceptions."""


def why_it_may_pass(error: BaseException) -> str:
    """Return why the next attempt may succeed; empty for a failure that will occur again.

    The errors that caused this one count as well.
    """
    for each in _causes(error):
        if reason := _reason(each):
            return reason
    return ""


def why_text_may_pass(text: str) -> str:
    """Return why the next attempt of another program may succeed, by the exceptions that its message names; else empty."""
    return _NETWORK if _CELL_ERRORS.intersection(re.findall(r"\b[A-Za-z]+(?=: |\()", text)) else ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those it was raised from, up to an error of the code."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen and not isinstance(error, _BUGS):
        seen.add(id(error))
        yield error
        reason = getattr(error, "reason", None)  # of urllib's and urllib3's errors
        if isinstance(reason, BaseException):
            yield from _causes(reason)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _reason(error: BaseException) -> str:
    if isinstance(error, Busy | PublishConflict):
        return "another process builds the product"
    if isinstance(error, SourceChanged):
        return "the file was still being written"
    if isinstance(error, IngestError) and error.passing:
        return error.passing
    if isinstance(error, NotebookError) and error.exception in _CELL_ERRORS:
        return _NETWORK
    if status := _http_status(error):
        passes = status >= 500 or status in (408, 425, 429)
        return f"the server answered with HTTP status {status}" if passes else ""
    for kind in type(error).__mro__:
        module = "httpx" if kind.__module__.startswith("httpx.") else kind.__module__
        if (reason := _CLASSES.get(f"{module}.{kind.__qualname__}")) is not None:
            return reason
    if isinstance(error, OSError) and error.errno in _ERRNO:
        return _ERRNO[error.errno]
    if type(error).__module__ in ("sqlite3", "_sqlite3") and getattr(error, "sqlite_errorcode", 0) & 0xFF in (5, 6):
        return _LOCKED  # SQLITE_BUSY, SQLITE_LOCKED
    if type(error).__module__ in ("duckdb", "_duckdb") and "Could not set lock on file" in str(error):  # it has no code
        return _LOCKED
    return ""


def _http_status(error: BaseException) -> int:
    """Return the status of the HTTP answer that an error reports; 0 without one."""
    import urllib.error

    if isinstance(error, NotebookError):
        text = _CELL_STATUSES.get(error.exception)
        found = text.match(error.value) if text else None
        return int(found[1]) if found else 0
    if isinstance(error, urllib.error.HTTPError):
        return error.code
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # of botocore
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        status = getattr(response, "status_code", None) or getattr(error, "status_code", None) or getattr(error, "status", None)
    return status if isinstance(status, int) and 100 <= status < 600 else 0
