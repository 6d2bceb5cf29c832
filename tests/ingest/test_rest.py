import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from kit.core.errors import IngestError
from kit.ingest.connector import Origin, State
from kit.ingest.environments import Environments
from kit.ingest.rest import CDK, Rest
from tests.support import airbyte as tiny
from tests.support.files import write

MANIFEST = """
version: 6.48.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [orders]}
streams:
  - type: DeclarativeStream
    name: orders
    primary_key: [id]
    retriever:
      type: SimpleRetriever
      requester:
        type: HttpRequester
        url_base: "{{ config['url'] }}"
        path: /orders
        http_method: GET
        authenticator: {type: BearerAuthenticator, api_token: "{{ config['token'] }}"}
        error_handler:
          type: DefaultErrorHandler
          max_retries: 3
          backoff_strategies:
            - {type: WaitTimeFromHeader, header: Retry-After}
            - {type: ConstantBackoffStrategy, backoff_time_in_seconds: 0.1}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [orders]}}
      paginator:
        type: DefaultPaginator
        page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: offset}
        page_size_option: {type: RequestOption, inject_into: request_parameter, field_name: limit}
        pagination_strategy: {type: OffsetIncrement, page_size: 100}
    incremental_sync:
      type: DatetimeBasedCursor
      cursor_field: updated_at
      datetime_format: "%Y-%m-%dT%H:%M:%SZ"
      start_datetime: "2024-01-01T00:00:00Z"
      start_time_option: {type: RequestOption, inject_into: request_parameter, field_name: since}
    schema_loader:
      type: InlineSchemaLoader
      schema:
        type: object
        properties:
          id: {type: integer}
          amount: {type: number}
          updated_at: {type: string, format: date-time}
spec:
  type: Spec
  connection_specification: {type: object, properties: {url: {type: string}, token: {type: string, airbyte_secret: true}}}
"""


class Api:
    """An API of orders on loopback, in pages of 100; `answers` are the next answers instead of the right one."""

    def __init__(self) -> None:
        self.orders = [self.order(number, f"2024-01-01T00:{number // 60:02}:{number % 60:02}Z") for number in range(250)]
        self.answers: list[tuple[int, str]] = []
        self.asked: list[dict[str, str]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = api.answer(self.path, self.headers.get("Authorization", ""))
                self.send_response(status)
                if status == 429:
                    self.send_header("Retry-After", "1")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *arguments: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def order(number: int, at: str) -> dict[str, Any]:
        return {"id": number, "amount": number / 4, "updated_at": at}

    def answer(self, address: str, token: str) -> tuple[int, str]:
        asked = {name: value[0] for name, value in parse_qs(urlsplit(address).query).items()}
        self.asked.append(asked)
        if token != "Bearer sesame99":
            return 401, '{"message": "bad token"}'
        if self.answers:
            return self.answers.pop(0)
        start, since = int(asked.get("offset", 0)), asked.get("since", "")
        found = [order for order in self.orders if order["updated_at"] >= since]
        return 200, json.dumps({"orders": found[start : start + 100]})


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    yield api
    api.server.shutdown()
    api.server.server_close()


@pytest.fixture(scope="module")
def cdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    environments = Environments(tmp_path_factory.mktemp("connectors"))
    try:
        return environments.make(Rest("x.yaml").requires())
    except IngestError as error:
        pytest.skip(str(error))


def source(folder: Path, environment: Path, **options: Any) -> Rest:
    write(folder / "api.yaml", MANIFEST)
    made = Rest("api.yaml", stream="orders", **options)
    made.folder, made.environment = folder, environment
    return made


def read(made: Rest, before: Any = None) -> tuple[list[int], Any]:
    batches = list(made.read(before))
    states = [batch.value for batch in batches if isinstance(batch, State)]
    return [key for batch in batches if not isinstance(batch, State) for key in batch["id"].to_list()], states[
        -1
    ] if states else None


def test_the_manifest_is_given_to_the_program_and_decides_on_the_rows(tmp_path: Path) -> None:
    environment = tiny.install(tmp_path / "environment", "source-declarative-manifest")
    tiny.script(environment)
    made = source(tmp_path / "shop", environment)
    assert [stream.name for stream in made.discover()] == ["orders", "tags"]
    before = made.digest()
    write(tmp_path / "shop/api.yaml", MANIFEST + "# changed\n")
    assert made.digest() != before
    assert made.requires().packages == (CDK,)
    (tmp_path / "shop/api.yaml").unlink()
    with pytest.raises(IngestError, match=r"there is no manifest api.yaml; write its path relative to the domain folder"):
        made.declared()


SPEC = """
spec:
  connection_specification:
    required: [region, version, token]
    properties:
      region: {type: string}
      version: {type: integer, default: 2}
      token: {type: string, airbyte_secret: true}
      login: {type: object, properties: {user: {type: string}, password: {type: string, airbyte_secret: true}}}
"""


def test_a_source_is_declared_from_a_manifest_with_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, manifest = tmp_path / "domains/shop", tmp_path / "shop_api.yaml"
    write(manifest, "streams: [{name: orders}]\n" + SPEC)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_API_TOKEN", "sesame99")
    monkeypatch.delenv("SHOP_API_LOGIN_PASSWORD", raising=False)
    made = Rest.declare("shop_api.yaml?stream=orders&region=eu", "sales", folder)
    assert made.arguments == {
        "manifest": "shop_api.yaml", "stream": "orders", "config": {"region": "eu", "version": 2},
        "secrets_env": {"token": "SHOP_API_TOKEN", "login.password": "SHOP_API_LOGIN_PASSWORD"},
    }  # fmt: skip
    assert (made.stream, made.variables, made.files) == (
        "orders", {"SHOP_API_TOKEN": "sesame99"}, {"shop_api.yaml": Path("shop_api.yaml")},
    )  # fmt: skip
    with pytest.raises(IngestError) as caught:
        Rest.declare("shop_api.yaml", "orders", folder)
    assert str(caught.value) == "shop_api.yaml asks for region; write rest:shop_api.yaml?region=…"
    write(folder / "apis/own.yaml", "streams: [{name: orders}]\n")
    for name in ("apis/own.yaml", "domains/shop/apis/own.yaml"):
        made = Rest.declare(name, "orders", folder)
        assert (made.arguments, made.files) == ({"manifest": "apis/own.yaml", "stream": "orders"}, {})
    with pytest.raises(IngestError, match=r"there is no manifest none.yaml, neither here nor in "):
        Rest.declare("none.yaml", "orders", folder)


@pytest.mark.heavy
def test_a_real_api_is_read_in_pages_and_increments_through_limits_and_failures(
    tmp_path: Path, cdk: Path, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"url": f"http://127.0.0.1:{api.server.server_port}"}
    made = source(tmp_path, cdk, config=config, secrets_env={"token": "SHOP_TOKEN"}, cursor="updated_at")
    monkeypatch.setenv("SHOP_TOKEN", "wrong-token")
    with pytest.raises(IngestError) as caught:
        read(made)
    assert str(caught.value) == "Unauthorized. Please ensure you are authenticated correctly"
    assert "wrong-token" not in str(caught.value)
    monkeypatch.setenv("SHOP_TOKEN", "sesame99")
    api.answers = [(429, "slow down"), (500, "oops")]
    rows, state = read(made)
    assert rows == list(range(250))
    api.orders += [Api.order(250, "2024-01-02T00:00:00Z")]
    rows, state = read(made, state)
    assert rows[-1] == 250
    assert 1 <= len(rows) <= 2  # the row at the boundary comes again
    for answer, words in ((200, "{broken"), (500, "down")):
        api.answers = [(answer, words)] * 20
        with pytest.raises(IngestError):
            read(made, state)
        api.answers = []
    assert read(made, state)[0][-1] == 250


def test_the_origin_is_the_address_of_the_stream_with_its_columns(tmp_path: Path) -> None:
    environment = tiny.install(tmp_path / "environment", "source-declarative-manifest")
    tiny.script(environment)
    made = source(tmp_path / "shop", environment, config={"url": "https://api.example.com/v1?key=1", "token": "x"})
    types = {"id": "bigint", "at": "timestamp with time zone", "data": "varchar"}
    assert made.describe().origins == (Origin("https://api.example.com", "/v1", types),)
