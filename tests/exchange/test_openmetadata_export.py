import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from kit.core.errors import KitError
from kit.exchange.openmetadata import Call, openmetadata_calls
from kit.exchange.openmetadata_export import export_openmetadata
from tests.support.receiver import Received, Receiver, receiving
from tests.support.small_mesh import SmallMesh


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OM_TOKEN", "token-of-a-bot")


@pytest.fixture
def server() -> Iterator[Receiver]:
    """A stand-in for OpenMetadata: what is made has an id that follows from its request."""

    def reply(request: Received) -> tuple[int, Any]:
        name = request.path if request.value is None else str(request.value.get("name"))
        return 200, {"id": str(uuid5(NAMESPACE_URL, f"{request.path} {name}"))}

    with receiving() as receiver:
        receiver.reply = reply
        yield receiver


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("kit.exchange.web.time", SimpleNamespace(sleep=found.append))
    return found


def send(small: SmallMesh, server: Receiver, calls: list[Call] | None = None) -> str:
    calls = openmetadata_calls(small.context) if calls is None else calls
    return export_openmetadata(small.context, calls, f"{server.url}/", "OM_TOKEN", warn=print)


def test_requests_are_sent_in_order_with_the_ids_of_those_before(small: SmallMesh, server: Receiver) -> None:
    small.publish("shop")
    calls = openmetadata_calls(small.context)
    said = send(small, server, calls)
    assert said == (
        f"2 products, 4 tables, 30 test cases sent to {server.url}; "
        f"5 events of 1 run sent to {server.url}/api/v1/openlineage/lineage"
    )
    assert {request.token for request in server.requests} == {"token-of-a-bot"}
    sent = server.requests[: len(calls)]
    assert [request.method for request in sent] == [call.method for call in calls]
    plain = [request.path.removeprefix("/api/v1/").split("?")[0] for request in sent]
    assert plain[0] == "services/databaseServices"
    assert [path for path in plain if "{" in path or "%7B" in path] == []
    texts = [str(request.value) for request in sent if "dataContracts" not in request.path]  # a contract has an id of its own
    ids = [found for text in texts for found in re.findall(r"'id': '([^']*)'", text)]
    assert len(ids) == 10
    assert {len(item) for item in ids} == {36}
    assert {request.path for request in server.requests[len(calls) :]} == {"/api/v1/openlineage/lineage"}
    assert {request.value["eventType"] for request in server.requests[len(calls) :]} == {"COMPLETE"}


def test_repeating_sends_the_same(small: SmallMesh, server: Receiver) -> None:
    send(small, server)
    first = list(server.requests)
    server.requests.clear()
    send(small, server)
    assert server.requests == first


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused(small: SmallMesh, server: Receiver, status: int) -> None:
    server.answers = [status]
    with pytest.raises(KitError, match=f"answers {status} to the token in OM_TOKEN; use that of a bot or admin"):
        send(small, server)
    assert len(server.requests) == 1


def test_an_entity_that_somebody_else_has_just_made_is_used(small: SmallMesh, server: Receiver) -> None:
    calls = [
        Call("PUT", "tables", {"name": "a"}, 'data-mesh.mesh.shop."raw.a"'),
        Call("PUT", 'tables/{data-mesh.mesh.shop."raw.a"}/tableProfile', {}),
    ]
    server.answers = [409]
    send(small, server, calls)
    made, asked, profile, *_ = server.requests
    assert (made.method, asked.method) == ("PUT", "GET")
    assert asked.path == "/api/v1/tables/name/data-mesh.mesh.shop.%22raw.a%22"
    assert re.fullmatch(r"/api/v1/tables/[0-9a-f-]{36}/tableProfile", profile.path)


def test_a_server_that_is_overloaded_is_asked_when_it_says(small: SmallMesh, server: Receiver, waits: list[float]) -> None:
    server.answers, server.headers = [429, 503], {"Retry-After": "3"}
    send(small, server)
    assert waits == [3, 3]
    assert [request.path for request in server.requests[:3]] == ["/api/v1/services/databaseServices"] * 3


def test_a_refused_request_is_named(small: SmallMesh, server: Receiver) -> None:
    server.answers = [200, 400]
    with pytest.raises(KitError, match=r"refuses PUT domains of \w+: 400"):
        send(small, server)


def test_no_token_and_no_server(
    small: SmallMesh, server: Receiver, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as gone:
        pass
    with pytest.raises(KitError, match="connection refused; run the command again"):
        send(small, gone)
    monkeypatch.delenv("OM_TOKEN")
    with pytest.raises(KitError, match="OM_TOKEN is not set; put the token of a bot"):
        send(small, server)
    assert server.requests == []
