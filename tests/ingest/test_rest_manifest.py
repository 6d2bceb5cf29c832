from pathlib import Path
from typing import Any

import pytest

from kit.core.errors import IngestError
from kit.ingest.connector import Origin
from kit.ingest.rest_manifest import Manifest
from tests.support.files import write

SHARED = """
definitions:
  requester: &requester
    type: HttpRequester
    url_base: "https://user:hidden@{{ config['region'] }}.example.com:8443/v2/"
    path: "{{ parameters['path'] }}"
  orders:
    name: orders
    $parameters: {path: "/orders/{{ config.account }}/{{ stream_slice['day'] }}?key={{ config['api_key'] }}"}
    retriever: {requester: {$ref: "#/definitions/requester"}}
streams:
  - "#/definitions/orders"
  - $parameters: {name: tags, path: tags}
    retriever: {requester: *requester}
  - {name: strange, retriever: "#/definitions/nothing"}
"""


def manifest(folder: Path, text: str) -> Manifest:
    path = folder / "api.yaml"
    write(path, text)
    return Manifest(path)


def test_streams_come_from_an_address_without_user_secrets_and_query(tmp_path: Path) -> None:
    found = manifest(tmp_path, SHARED)
    assert found.streams == ("orders", "tags", "strange")
    config: dict[str, Any] = {"region": "eu", "account": 7}
    host = "https://eu.example.com:8443"
    assert found.origin("orders", config) == Origin(host, "/v2/orders/7/{day}")
    assert found.origin("tags", config) == Origin(host, "/v2/tags")
    assert found.origin("tags", {}) is None  # no host
    assert found.origin("strange", config) is None
    assert found.origin("none", config) is None


def test_dynamic_streams_have_names_that_only_the_system_knows(tmp_path: Path) -> None:
    assert manifest(tmp_path, "streams: [{name: a}]\ndynamic_streams: [{type: x}]").streams == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("\nstreams: [}", "api.yaml is no YAML, in line 2"),
        ("a: b", "api.yaml has no list of streams; write a manifest of Airbyte's declarative connectors"),
        ("- a", "api.yaml has no list of streams; write a manifest of Airbyte's declarative connectors"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(IngestError) as caught:
        manifest(tmp_path, text)
    assert str(caught.value) == problem
