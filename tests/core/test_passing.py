"""Which failures are worth another attempt, and the reason that is shown."""

import errno
import http.client
import socket
import sqlite3
import urllib.error
from email.message import Message
from pathlib import Path

import duckdb
import httpx
import pytest
import requests

from kit.core.errors import AuditFailed, Busy, IngestError, NotebookError, PublishConflict, SourceChanged, UnknownName
from kit.core.passing import why_it_may_pass, why_text_may_pass

NETWORK, SLOW, LOCKED = "the network failed", "the other side did not answer in time", "another process holds a lock"


def raised_by(answer: requests.Response | httpx.Response) -> BaseException:
    with pytest.raises((requests.HTTPError, httpx.HTTPStatusError)) as caught:
        answer.raise_for_status()
    return caught.value


def answered(status: int) -> list[BaseException]:
    """The errors by which libraries report an HTTP status."""
    answer = requests.Response()
    answer.status_code, answer.reason, answer.url = status, "no", "http://there"
    request = httpx.Request("GET", "http://there")
    return [
        urllib.error.HTTPError("http://there", status, "no", Message(), None),
        raised_by(answer),
        raised_by(httpx.Response(status, request=request)),
    ]


def caused(error: BaseException, cause: BaseException | None) -> BaseException:
    error.__cause__ = cause
    return error


def while_handling(error: BaseException, context: BaseException) -> BaseException:
    error.__context__ = context
    return error


def cell(name: str, value: str = "") -> NotebookError:
    error = NotebookError("a cell failed")
    error.exception, error.value = name, value
    return error


def answered_a_cell(status: int) -> list[BaseException]:
    """The errors of `answered`, raised in a cell of a notebook."""
    botocore = cell("ClientError", f"An error occurred ({status}) when calling the GetObject operation: no")
    return [*(cell(type(error).__name__, str(error)) for error in answered(status)), botocore]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(), NETWORK),
        (BrokenPipeError(), NETWORK),
        (OSError(errno.EHOSTUNREACH, "no route to host"), NETWORK),
        (socket.gaierror(-3, "temporary failure in name resolution"), NETWORK),
        (http.client.RemoteDisconnected(), NETWORK),
        (http.client.IncompleteRead(b""), NETWORK),
        (urllib.error.URLError(ConnectionResetError()), NETWORK),
        (urllib.error.URLError(TimeoutError()), SLOW),
        (TimeoutError(), SLOW),
        (OSError(errno.ETIMEDOUT, "timed out"), SLOW),
        (requests.ConnectionError(), NETWORK),
        (requests.ReadTimeout(), SLOW),
        (requests.exceptions.ChunkedEncodingError(), NETWORK),
        (httpx.ConnectError("refused"), NETWORK),
        (httpx.ReadTimeout("slow"), SLOW),
        (httpx.RemoteProtocolError("gone"), NETWORK),
        (OSError(errno.EAGAIN, "try again"), LOCKED),
        (Busy("at it"), "another process builds the product"),
        (PublishConflict("moved"), "another process builds the product"),
        (SourceChanged("changed"), "the file was still being written"),
        (caused(IngestError("sales() failed"), requests.ConnectTimeout()), NETWORK),
        (caused(IngestError("sales() failed"), caused(RuntimeError("the shop's API"), httpx.ConnectError("no"))), NETWORK),
        (caused(IngestError("sales() failed"), while_handling(RuntimeError("the API"), ConnectionResetError())), NETWORK),
        (cell("ConnectTimeout"), NETWORK),
        *((error, f"the server answered with HTTP status {code}") for code in (429, 500, 503) for error in answered(code)),
    ],
)  # fmt: skip
def test_what_may_pass_is_named(error: BaseException, reason: str) -> None:
    assert why_it_may_pass(error) == reason


@pytest.mark.parametrize(
    "error",
    [
        *(error for status in (400, 401, 404) for error in [*answered(status), *answered_a_cell(status)]),
        cell("HTTPError", "the answer was 503"),
        cell("ValueError", "503 Server Error"),
        caused(IngestError("sales() failed"), NameError("name 'requsts' is not defined")),
        caused(IngestError("sales() failed"), while_handling(NameError("in the handler"), ConnectionResetError())),
        caused(IngestError("sales() failed"), KeyError("amount")),
        caused(IngestError("sales() failed"), FileNotFoundError(errno.ENOENT, "no such file")),
        caused(IngestError("sales() failed"), ValueError("not a number")),
        IngestError("shop.raw.sales: sales.csv does not exist"),
        UnknownName("'days' has no partition 2012-12-31"),
        AuditFailed("3 checks failed"),
        OSError(errno.ENOSPC, "No space left on device"),
        PermissionError(errno.EACCES, "Permission denied"),
        requests.exceptions.SSLError("certificate verify failed"),
        requests.exceptions.InvalidURL(),
        httpx.UnsupportedProtocol("ftp"),
        urllib.error.URLError("unknown url type: ftps"),
        cell("NameError"),
        cell(""),
        MemoryError(),
        RuntimeError("dictionary changed size"),
    ],
)
def test_nothing_else_is_tried_again(error: BaseException) -> None:
    assert why_it_may_pass(error) == ""


def test_locks_of_databases_pass(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as first, sqlite3.connect(tmp_path / "a.db", timeout=0) as second:
        first.execute("create table t (n)")
        first.execute("insert into t values (1)")
        with pytest.raises(sqlite3.OperationalError) as error:
            second.execute("insert into t values (2)")
        assert why_it_may_pass(error.value) == LOCKED
        with pytest.raises(sqlite3.OperationalError) as error:
            second.execute("select * from nowhere")
        assert why_it_may_pass(error.value) == ""
    assert why_it_may_pass(duckdb.IOException('IO Error: Could not set lock on file "a"')) == LOCKED
    assert why_it_may_pass(duckdb.IOException("IO Error: No files found")) == ""


def test_an_error_that_is_its_own_cause_is_looked_at_once() -> None:
    error = RuntimeError("a")
    error.__cause__ = caused(RuntimeError("b"), error)
    assert why_it_may_pass(error) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Exception while syncing stream orders: ChunkedEncodingError: ('Connection broken', …)", "the network failed"),
        ("requests.exceptions.ConnectionError: no route", "the network failed"),
        ("HTTPSConnectionPool: ReadTimeout(5)", "the network failed"),
        ("requests.exceptions.SSLError: certificate has expired", ""),
        ("KeyError: 'ConnectionError'", ""),
    ],
)
def test_a_message_of_another_program_may_name_the_network(text: str, reason: str) -> None:
    assert why_text_may_pass(text) == reason
