from types import SimpleNamespace

import pytest

from kit.core.errors import KitError
from kit.exchange import web
from tests.support.receiver import receiving


def test_a_value_is_sent_as_json_with_its_token() -> None:
    with receiving() as server:
        answer = web.request("PUT", f"{server.url}/a/b", {"name": "Käse"}, token="t1", kind="application/merge+json")
        assert (answer.status, answer.json()) == (200, {"status": 200})
        (got,) = server.requests
        assert (got.method, got.path, got.token, got.kind, got.value) == (
            "PUT", "/a/b", "t1", "application/merge+json", {"name": "Käse"},
        )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "passes"), [(400, False), (401, False), (409, False), (429, True), (500, True), (503, True)]
)
def test_a_refusal_is_an_answer(status: int, passes: bool) -> None:
    with receiving() as server:
        server.answers = [status]
        answer = web.request("POST", server.url, {})
        assert (answer.status, answer.passes) == (status, passes)
        assert answer.reason == f'{status} {{"status": {status}}}'


def test_a_redirection_is_not_followed() -> None:
    with receiving() as server:
        server.answers, server.headers = [302], {"Location": f"{server.url}/other"}
        assert web.request("POST", server.url, {}, token="t1").status == 302
        assert len(server.requests) == 1


def test_why_there_is_no_answer() -> None:
    with receiving() as server:
        server.answers = [0]
        with pytest.raises(web.Unreachable, match="the connection was lost"):
            web.request("GET", server.url)
        server.seconds = 1
        with pytest.raises(web.Unreachable, match=r"^no answer in 0\.2 s$"):
            web.request("GET", server.url, seconds=0.2)
    with pytest.raises(web.Unreachable, match=r"^connection refused$"):
        web.request("GET", server.url)


def test_a_server_that_is_overloaded_is_asked_again_when_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("kit.exchange.web.time", SimpleNamespace(sleep=waits.append))
    with receiving() as server:
        server.answers, server.headers = [429, 0, 503], {"Retry-After": "7"}
        assert web.patient_request("POST", server.url, {}).status == 200
        assert waits == [7, 2, 7]
        server.answers, server.headers = [500] * 5, {}
        assert web.patient_request("POST", server.url, {}).status == 500
        assert waits[3:] == [1, 2, 4, 8]


@pytest.mark.parametrize(
    "url", ["localhost:5000", "ftp://host", "http://", "http://host:x", "http://host:99999", "", "http://h/?a"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(
        KitError, match=r"^--to is '.*', which is no address of a server; write one such as http://localhost:5000$"
    ):
        web.address(url, "--to")


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(KitError) as error:
        web.address("https://me:open-sesame@host/", "OPENLINEAGE_URL")
    assert "open-sesame" not in str(error.value)
    assert web.shown("https://me:p@host/a") == "https://host/a"
    assert web.address(" https://host:8443/api/ ", "--to") == "https://host:8443/api"
