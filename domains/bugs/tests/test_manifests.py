"""The manifests of web APIs, read by Airbyte's library from servers on loopback that answer as the documents of each API say."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
import yaml

from kit.contracts import Contract
from kit.core import IngestError
from kit.ingest import State
from kit.ingest.environments import Environments
from kit.ingest.json_schema import columns
from kit.ingest.rest import Rest
from kit.ingest.rest_manifest import Manifest

DOMAIN = Path(__file__).parents[1]
NAMES = ("code_host", "sentry", "kibana", "datadog")
FRAMES = [
    {"module": "click.core", "function": "invoke", "filename": "click/core.py", "lineNo": 1234},
    {"module": "click.types", "function": "convert", "filename": "click/types.py", "lineNo": 604},
]
MESSAGE = "'abc' is not a \"valid\" integer range: {'a': 1}\nsecond line"


@dataclass
class Asked:
    """A request: its path, its parameters, its headers and its JSON body."""

    path: str
    values: dict[str, str]
    headers: dict[str, str]
    body: Any = None


@dataclass
class Api:
    """An API on loopback. `answer` returns the status, the headers and the JSON value of an answer."""

    answer: Callable[[Asked], tuple[int, dict[str, str], Any]]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""


@contextmanager
def served(answer: Callable[[Asked], tuple[int, dict[str, str], Any]]) -> Iterator[Api]:
    api = Api(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            values = {name: value[0] for name, value in parse_qs(parts.query).items()}
            api.asked.append(Asked(parts.path, values, dict(self.headers), json.loads(body) if body else None))
            status, headers, value = api.answer(api.asked[-1])
            self.send_response(status)
            for name, text in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield api
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def cdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return Environments(tmp_path_factory.mktemp("connectors")).make(Rest("x.yaml").requires())
    except IngestError as error:
        pytest.skip(str(error))


def source(environment: Path, name: str, stream: str, config: dict[str, str], **options: Any) -> Rest:
    made = Rest(f"sources/{name}.yaml", stream=stream, config=config, **options)
    made.folder, made.environment = DOMAIN, environment
    made.check_declared()
    return made


def rows(made: Rest, contract: str) -> list[dict[str, Any]]:
    """The rows of a stream in the columns of the source that it replaces, which it must have."""
    names = [column.name for column in Contract.load(DOMAIN / f"sources/{contract}.odcs.yaml").columns]
    frames = [batch for batch in made.read(None) if not isinstance(batch, State)]
    return pl.concat(frames).select(names).to_dicts()


@pytest.mark.heavy
def test_a_code_host_gives_installations_and_the_issues_assigned_there(cdk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As GitHub documents `GET /user/installations` and `GET /orgs/{org}/issues`: pages by the header `Link`."""

    def issue(number: int, **more: Any) -> dict[str, Any]:
        return {
            "number": number, "title": f"Issue {number}", "body": "See https://sentry.example/events/" + "a1" * 16 + "/",
            "state": "open", "created_at": "2017-11-01T15:40:00Z", "updated_at": f"2017-11-02T00:00:{number:02}Z",
            "assignee": {"login": "dev1", "id": 1}, "labels": [], **more,
        }  # fmt: skip

    names = ["Northwind", "contoso"]
    issues = {
        "northwind": [[issue(1), issue(2, pull_request={"url": "u"})], [issue(3, body=None)]],
        "contoso": [[issue(4, assignee=None)]],
    }

    def answer(asked: Asked) -> tuple[int, dict[str, str], Any]:
        if asked.headers.get("Authorization") != "Bearer sesame99":
            return 401, {}, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"}
        page = int(asked.values.get("page", 1))
        if asked.path == "/user/installations":
            items = [
                {"id": number, "account": {"login": name}, "suspended_at": "2017-10-01T00:00:00Z" if number else None}
                for number, name in enumerate(names)
            ]
            value: Any = {"total_count": len(items), "installations": items[page - 1 : page]}
            pages = len(items)
        else:
            found = issues[asked.path.split("/")[2]]
            value, pages = found[page - 1], len(found)
        if page == pages:
            return 200, {}, value
        return (
            200,
            {"Link": f'<{api.url}{asked.path}?per_page=100&page={page + 1}>; rel="next", <{api.url}>; rel="last"'},
            value,
        )

    monkeypatch.setenv("CODE_HOST_TOKEN", "sesame99")
    with served(answer) as api:
        options: dict[str, Any] = {"config": {"url": api.url}, "secrets_env": {"token": "CODE_HOST_TOKEN"}}
        made = source(cdk, "code_host", "installations", **options)
        (frame,) = [batch for batch in made.read(None) if not isinstance(batch, State)]
        assert frame["installation"].to_list() == ["northwind", "contoso"]
        assert frame["suspended_at"].to_list() == [None, datetime(2017, 10, 1)]
        api.asked.clear()
        found = rows(source(cdk, "code_host", "issues", **options), "issues")
        (first, *_) = [asked for asked in api.asked if asked.path == "/orgs/northwind/issues"]
        monkeypatch.setenv("CODE_HOST_TOKEN", "wrong-token")
        with pytest.raises(IngestError, match="authenticated correctly"):
            rows(source(cdk, "code_host", "issues", **options), "issues")
    assert {name: first.values[name] for name in ("filter", "state", "per_page")} == {
        "filter": "assigned", "state": "open", "per_page": "100",
    }  # fmt: skip
    assert first.headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert [(row["installation"], row["number"], row["assignee"], row["event_id"]) for row in sorted(found, key=lambda row: row["number"])] == [
        ("northwind", 1, "dev1", "a1" * 16), ("northwind", 3, "dev1", None), ("contoso", 4, None, "a1" * 16),
    ]  # fmt: skip
    assert found[0]["opened_at"] == datetime(2017, 11, 1, 15, 40)


@pytest.mark.heavy
def test_sentry_gives_the_events_of_a_project_without_variables(cdk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Sentry documents `GET /projects/{organization}/{project}/events/?full=true`: cursors in the header `Link`."""

    def event(number: int, user: dict[str, str] | None) -> dict[str, Any]:
        frames = [{**frame, "absPath": "/srv/x.py", "vars": {"row": "hunter2"}, "context": [[1, "x"]]} for frame in FRAMES]
        values = [{"type": "BadParameter", "value": MESSAGE, "stacktrace": {"frames": frames}}]
        return {
            "id": f"{number:032x}", "eventID": f"{number:032x}", "dateCreated": "2017-11-01T15:00:00Z", "type": "error",
            "title": "BadParameter: 'abc' is not", "message": "", "user": user,
            "metadata": {"type": "BadParameter", "value": MESSAGE},
            "entries": [{"type": "message", "data": {"formatted": "x"}}, {"type": "exception", "data": {"values": values}}],
        }  # fmt: skip

    pages = {
        None: (event(1, {"id": "7", "email": "user1@contoso.example", "ip_address": "192.0.2.1"}), "0:100:0"),
        "0:100:0": (event(2, None), None),
    }

    def answer(asked: Asked) -> tuple[int, dict[str, str], Any]:
        if len(api.asked) == 1:
            return 429, {"Retry-After": "1"}, {"detail": "You are attempting to use this endpoint too frequently."}
        found, following = pages[asked.values.get("cursor")]
        more, cursor = ("true", following) if following else ("false", "0:200:0")
        link = f'<{api.url}{asked.path}?cursor={cursor}>; rel="next"; results="{more}"; cursor="{cursor}"'
        return 200, {"Link": link}, [found]

    monkeypatch.setenv("SENTRY_TOKEN", "sesame99")
    config = {"organization": "acme", "project": "shop", "installation": "contoso"}
    with served(answer) as api:
        made = source(cdk, "sentry", "telemetry", {"url": api.url, **config}, secrets_env={"token": "SENTRY_TOKEN"})
        found = rows(made, "telemetry")
    assert {asked.path for asked in api.asked} == {"/api/0/projects/acme/shop/events/"}
    assert [asked.values for asked in api.asked] == [{"full": "true"}, {"full": "true"}, {"full": "true", "cursor": "0:100:0"}]
    assert api.asked[0].headers["Authorization"] == "Bearer sesame99"
    check(found, "sentry", [f"{1:032x}", f"{2:032x}"])
    assert [(row["user"], row["ip"]) for row in found] == [("user1@contoso.example", "192.0.2.1"), (None, None)]
    assert "hunter2" not in str(found)


@pytest.mark.heavy
def test_kibana_gives_the_errors_of_a_service(cdk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Elastic documents `POST /{index}/_search` with `search_after`, and the error documents of APM."""

    def hit(number: int) -> dict[str, Any]:
        frames = [
            {"module": f["module"], "function": f["function"], "filename": f["filename"], "line": {"number": f["lineNo"]}, "vars": {"a": "hunter2"}}
            for f in reversed(FRAMES)
        ]  # fmt: skip
        error = {"id": f"e{number:04}", "exception": [{"type": "BadParameter", "message": MESSAGE, "stacktrace": frames}]}
        body = {
            "@timestamp": "2017-11-01T15:00:00.000Z",
            "error": error,
            "user": {"email": "user1@contoso.example"},
            "client": {"ip": "192.0.2.1"},
        }
        return {
            "_index": "logs-apm.error-default",
            "_id": f"x{number}",
            "_score": None,
            "_source": body,
            "sort": [1509548400000, f"e{number:04}"],
        }

    hits, failed = [hit(number) for number in range(501)], 0

    def answer(asked: Asked) -> tuple[int, dict[str, str], Any]:
        after = (asked.body.get("search_after") or ["", ""])[1]
        found = [item for item in hits if item["sort"][1] > after][: asked.body["size"]]
        shards = {"total": 2, "successful": 2 - failed, "skipped": 0, "failed": failed}
        return (
            200,
            {},
            {"took": 1, "timed_out": False, "_shards": shards, "hits": {"total": {"value": len(hits)}, "hits": found}},
        )

    monkeypatch.setenv("KIBANA_API_KEY", "sesame99")
    with served(answer) as api:
        config = {"url": api.url, "service": "shop", "installation": "contoso"}
        made = source(cdk, "kibana", "telemetry", config, secrets_env={"api_key": "KIBANA_API_KEY"})
        found = rows(made, "telemetry")
        failed = 1
        with pytest.raises(IngestError, match="did not reach all shards"):
            rows(made, "telemetry")
    first, second, *_ = api.asked
    assert (first.path, first.headers["Authorization"]) == ("/logs-apm.error-*/_search", "ApiKey sesame99")
    assert first.body["query"]["bool"]["filter"][0] == {"term": {"service.name": "shop"}}
    assert (first.body["size"], second.body["search_after"]) == (500, [1509548400000, "e0499"])
    assert len(found) == 501
    check([found[0], found[-1]], "kibana", ["e0000", "e0500"])
    assert (found[0]["user"], found[0]["ip"]) == ("user1@contoso.example", "192.0.2.1")


@pytest.mark.heavy
def test_datadog_gives_logs_with_an_exception(cdk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Datadog documents `GET /api/v2/logs/events`: the cursor of the next page in `meta`."""
    stack = "Traceback (most recent call last):\n" + "".join(
        f'  File "/srv/lib/python3.11/site-packages/{frame["filename"]}", line {frame["lineNo"]}, in {frame["function"]}\n    code()\n'
        for frame in FRAMES
    )

    def log(number: int) -> dict[str, Any]:
        error = {"kind": "BadParameter", "message": MESSAGE, "stack": stack + f"BadParameter: {MESSAGE}"}
        inner = {"error": error, "usr": {"email": "user1@contoso.example"}, "network": {"client": {"ip": "192.0.2.1"}}}
        outer = {
            "attributes": inner,
            "timestamp": "2017-11-01T15:00:00.000Z",
            "service": "shop",
            "status": "error",
            "tags": ["env:prod"],
        }
        return {"id": f"AA{number}", "type": "log", "attributes": outer}

    status = "done"

    def answer(asked: Asked) -> tuple[int, dict[str, str], Any]:
        if "page[cursor]" in asked.values:
            return 200, {}, {"data": [log(2)], "meta": {"status": status, "page": {}}}
        return 200, {}, {"data": [log(1)], "meta": {"status": status, "page": {"after": "eyJhZnRlciI6Mn0"}}}

    monkeypatch.setenv("DATADOG_API_KEY", "sesame99")
    monkeypatch.setenv("DATADOG_APPLICATION_API_KEY", "sesame98")
    keys = {"api_key": "DATADOG_API_KEY", "application_key": "DATADOG_APPLICATION_API_KEY"}
    with served(answer) as api:
        config = {"url": api.url, "service": "shop", "installation": "contoso"}
        made = source(cdk, "datadog", "telemetry", config, secrets_env=keys)
        found = rows(made, "telemetry")
        status = "timeout"
        with pytest.raises(IngestError, match="The search of logs timed out"):
            rows(made, "telemetry")
    first, second, *_ = api.asked
    assert (first.path, first.headers["DD-API-KEY"], first.headers["DD-APPLICATION-KEY"]) == (
        "/api/v2/logs/events", "sesame99", "sesame98",
    )  # fmt: skip
    assert (first.values["filter[query]"], first.values["page[limit]"]) == ("service:shop @error.kind:*", "1000")
    assert second.values["page[cursor]"] == "eyJhZnRlciI6Mn0"
    check(found, "datadog", ["AA1", "AA2"])
    assert (found[0]["user"], found[0]["ip"]) == ("user1@contoso.example", "192.0.2.1")


def check(found: list[dict[str, Any]], system: str, ids: list[str]) -> None:
    """Compare events with what each system was given, in its own form."""
    assert [row["event_id"] for row in found] == ids
    for row in found:
        assert (row["installation"], row["source"], row["type"], row["value"]) == ("contoso", system, "BadParameter", MESSAGE)
        assert row["title"].startswith("BadParameter: 'abc' is not")
        assert row["occurred_at"] == datetime(2017, 11, 1, 15)
        assert json.loads(row["frames"]) == FRAMES


@pytest.mark.parametrize(
    ("name", "stream", "source_name"),
    [("code_host", "installations", "installations"), ("code_host", "issues", "issues")]
    + [(name, "telemetry", "telemetry") for name in NAMES[1:]],
)
def test_a_stream_has_the_columns_of_the_source_that_it_replaces(name: str, stream: str, source_name: str) -> None:
    streams = yaml.safe_load((DOMAIN / f"sources/{name}.yaml").read_text())["streams"]
    (found,) = [item for item in streams if item["name"] == stream]
    types = {column.name: column.type for column in columns(found["schema_loader"]["schema"])}
    contract = Contract.load(DOMAIN / f"sources/{source_name}.odcs.yaml")
    wanted = {column.name: column.type for column in contract.columns}
    assert wanted.pop("distributions", "varchar[]") == "varchar[]"  # no code host knows them: they stay in the file
    assert {name: types.get(name) for name in wanted} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_the_manifests_keep_their_keys_out_of_the_configuration(name: str) -> None:
    manifest = Manifest(DOMAIN / f"sources/{name}.yaml")
    assert set(manifest.secrets) <= {"token", "api_key", "application_key"}
    assert manifest.secrets
    assert not set(manifest.secrets) & set(manifest.required)
