import asyncio
from typing import Any
from urllib.parse import urljoin

import pytest

from kit.orchestration.webserver import _NOTEBOOK_POLICY, _POLICY, Guard, StartPage

JSON = {"content-type": "application/json"}
OURS = "127.0.0.1:3000, localhost:3000"


def ask(headers: Any, *, method: str = "GET", path: str = "/", kind: str = "http") -> tuple[int, str, dict[str, str]]:
    """What comes back from the guard: status (0 from the app behind it), text and headers."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 0, "headers": [(b"x-app", b"1")]})
        await send({"type": "http.response.body", "body": b"passed"})

    async def receive() -> Any:
        raise AssertionError("the guard reads no body")

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = headers if isinstance(headers, list) else [*{"host": "localhost:3000", **headers}.items()]
    scope = {
        "type": kind,
        "path": path,
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
    }
    asyncio.run(Guard(app, 3000)(scope | ({"method": method} if kind == "http" else {}), receive, send))
    if sent[0]["type"] == "websocket.close":
        return sent[0]["code"], sent[0]["reason"], {}
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], sent[1]["body"].decode(), found


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {}),
        ("HEAD", "/", {}),
        ("GET", "/", {"host": "127.0.0.1:3000"}),
        ("GET", "/", {"host": "LocalHost:3000"}),
        ("GET", "/", {"origin": "http://localhost:3000"}),
        ("GET", "/", {"origin": "http://127.0.0.1:3000"}),
        ("POST", "/graphql", JSON),
        ("POST", "/graphql", {"content-type": "application/json; charset=utf-8"}),
        ("POST", "/graphql", {"content-type": "Application/JSON"}),
        ("POST", "/graphql", {**JSON, "origin": "http://localhost:3000"}),
        ("GET", "/dagster/notebook", {}),
        ("GET", "/dagster/assets/plan/notebook", {}),
    ],
)
def test_allowed_requests(method: str, path: str, headers: dict[str, str]) -> None:
    policy = _NOTEBOOK_POLICY if path == "/dagster/notebook" else _POLICY
    assert ask(headers, method=method, path=path) == (0, "passed", {"x-app": "1", "content-security-policy": policy})


FOREIGN = f"requests from '{{}}' are not allowed; only those of {OURS} are"
HOSTS = f"the host '{{}}' is not this server; use {OURS}"
GRAPHQL = "GraphQL takes POST requests of JSON only"
FORM = "application/x-www-form-urlencoded"
KIND = "a POST of '{}' is not allowed; send application/json"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "says"),
    [
        *(
            ("GET", "/", {"host": host}, 403, HOSTS.format(host))
            for host in ("evil.example:3000", "localhost", "localhost:3001", "", "localhost:3000.evil.example", "0.0.0.0:3000")
        ),
        *(
            (method, "/", {**JSON, "origin": origin}, 403, FOREIGN.format(origin))
            for method in ("GET", "POST")
            for origin in (
                "null", "", "http://evil.example", "http://localhost:3001", "http://localhost", "https://localhost:3000",
                "http://localhost:3000@evil.example", "http://evil.example/localhost:3000", "localhost:3000", "file://",
                "http://[::1]:3000", "http://[", "http://localhost:3000/path",
            )
        ),
        ("GET", "/graphql", {}, 405, GRAPHQL),
        ("GET", "/graphql/", {}, 405, GRAPHQL),
        ("HEAD", "/graphql", {}, 405, GRAPHQL),
        ("GET", "/dagster/graphql", {}, 405, GRAPHQL),
        ("PUT", "/", JSON, 405, "PUT is not allowed; use GET or POST"),
        ("OPTIONS", "/graphql", {}, 405, "OPTIONS is not allowed; use GET or POST"),
        ("get", "/", {}, 405, "get is not allowed; use GET or POST"),
        ("POST", "/graphql", {}, 415, KIND.format("nothing")),
        ("POST", "/other", {"content-type": ""}, 415, KIND.format("nothing")),
        ("POST", "/graphql", {"content-type": "text/plain"}, 415, KIND.format("text/plain")),
        ("POST", "/graphql", {"content-type": "text/plain; application/json"}, 415, KIND.format("text/plain")),
        ("POST", "/graphql", {"content-type": FORM}, 415, KIND.format(FORM)),
        ("POST", "/graphql", {"content-type": "multipart/form-data; boundary=x"}, 415, KIND.format("multipart/form-data")),
    ],
)  # fmt: skip
def test_refused_requests(method: str, path: str, headers: dict[str, str], status: int, says: str) -> None:
    assert ask(headers, method=method, path=path) == (status, says + "\n", {"content-type": "text/plain; charset=utf-8"})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("host", "evil.example"), ("host", "localhost:3000")),
        (("host", "localhost:3000"), ("host", "evil.example")),
        (("origin", "http://evil.example"), ("origin", "http://localhost:3000")),
        (("content-type", "text/plain"), ("content-type", "application/json")),
    ],
)
def test_a_header_that_occurs_twice_is_refused(first: tuple[str, str], second: tuple[str, str]) -> None:
    rest = {"host": "localhost:3000", **JSON}
    rest.pop(first[0], None)
    status, says, _ = ask([*rest.items(), first, second], method="POST", path="/graphql")
    assert (status, says) == (400, f"the header '{first[0]}' occurs twice\n")


def test_header_names_are_read_in_any_case() -> None:
    status, says, _ = ask([("Host", "localhost:3000"), ("ORIGIN", "http://evil.example")])
    assert (status, says) == (403, FOREIGN.format("http://evil.example") + "\n")


def test_no_host_is_refused() -> None:
    assert ask([])[:2] == (403, HOSTS.format("") + "\n")


def test_a_websocket_needs_an_origin_of_ours() -> None:
    assert ask({"origin": "http://localhost:3000"}, kind="websocket", path="/graphql")[:2] == (0, "passed")
    assert ask({}, kind="websocket", path="/graphql") == (1008, "a websocket needs an Origin", {})
    evil = "http://evil.example"
    assert ask({"origin": evil}, kind="websocket") == (1008, FOREIGN.format(evil)[:120], {})
    assert ask({"host": "evil.example"}, kind="websocket") == (1008, HOSTS.format("evil.example"), {})
    assert len(ask({"origin": "ü" * 300}, kind="websocket")[1].encode()) == 119  # what a close frame has room for


def test_a_policy_of_the_app_itself_is_not_loosened() -> None:
    """Browsers hold a page to every policy it comes with, so one more header is enough."""
    assert ask({})[2] == {"x-app": "1", "content-security-policy": _POLICY}


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/", "dagster/assets"), ("/dagster", "dagster/assets"), ("/dagster/", "assets"), ("/runs", "dagster/runs"),
        ("/assets/plan/forecast", "../../dagster/assets/plan/forecast"), ("//evil.example/x", ""),
        ("/dagster/runs", ""), ("/dagster/graphql", ""),
    ],
)  # fmt: skip
def test_a_bare_path_leads_to_its_page_of_the_web_ui(path: str, leads_to: str) -> None:
    assert StartPage.place(path) == leads_to
    assert not leads_to or urljoin(f"http://localhost:3000/lab{path}", leads_to).startswith(
        "http://localhost:3000/lab/dagster/"
    )


def test_the_lifespan_passes() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(Guard(app, 3000)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]
