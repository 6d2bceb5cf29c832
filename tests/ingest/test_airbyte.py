from pathlib import Path
from typing import Any

import pytest

from kit.core.errors import IngestError
from kit.ingest.airbyte import Airbyte, environment_of
from kit.ingest.connector import Environment, Origin, State
from tests.support import airbyte as tiny

AT = "2024-01-01T00:00:00Z"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    return tiny.install(tmp_path / "environment")


def connector(environment: Path, **options: Any) -> Airbyte:
    made = Airbyte("source-tiny==1.0", **{"stream": "orders", "config": {"n": 0}, **options})
    made.environment = environment
    return made


def read(made: Airbyte, before: Any = None) -> tuple[list[dict[str, Any]], Any]:
    batches = list(made.read(before))
    states = [batch.value for batch in batches if isinstance(batch, State)]
    return [row for batch in batches if not isinstance(batch, State) for row in batch.to_dicts()], states[
        -1
    ] if states else None


def test_an_increment_gives_the_state_back_as_the_program_sent_it(environment: Path) -> None:
    other = {"type": "RECORD", "record": {"stream": "tags", "data": {"id": 3}}}
    records = [tiny.record(id=1, at=AT, data={"a": [1]}), tiny.state("1"), other, tiny.record(id=2, at=None), tiny.state("2")]
    tiny.script(environment, read=records)
    made = connector(environment, cursor="at", config={"n": 1})
    rows, state = read(made)
    assert [(row["id"], row["data"]) for row in rows] == [(1, '{"a": [1]}'), (2, None)]
    stream = {"stream_descriptor": {"name": "orders"}, "stream_state": {"at": "2"}}
    assert state == {"airbyte": {"type": "STREAM", "stream": stream}}
    tiny.script(environment)
    assert read(made, state) == ([], state)
    discover, first, second = tiny.calls(environment)
    assert (discover["call"], first["call"], second["call"]) == ("discover", "read", "read")
    assert ("state" in first, second["state"]) == (False, [{"type": "STREAM", "stream": stream}])
    assert first["catalog"] == {
        "streams": [
            {
                "stream": tiny.ORDERS,
                "sync_mode": "incremental",
                "destination_sync_mode": "append",
                "primary_key": [["id"]],
                "cursor_field": ["at"],
            }
        ]
    }


def test_without_a_cursor_all_rows_are_read_and_no_state_is_kept(environment: Path) -> None:
    tiny.script(environment, read=[tiny.record(id=1), tiny.state("1")])
    rows, state = read(connector(environment))
    assert (len(rows), state) == (1, None)
    assert tiny.calls(environment)[-1]["catalog"]["streams"][0]["sync_mode"] == "full_refresh"


def test_states_of_the_first_protocol_are_given_back_as_their_data(environment: Path) -> None:
    tiny.script(environment, read=[{"type": "STATE", "state": {"data": {"orders": {"at": "1"}}}}])
    made = connector(environment, cursor="at")
    _, state = read(made)
    read(made, state)
    assert tiny.calls(environment)[-1]["state"] == {"orders": {"at": "1"}}


def test_a_state_of_another_stream_does_not_count_and_one_of_all_streams_does(environment: Path) -> None:
    other = {"type": "STREAM", "stream": {"stream_descriptor": {"name": "tags"}, "stream_state": {"n": 1}}}
    tiny.script(environment, read=[tiny.state("1"), {"type": "STATE", "state": other}, tiny.record(id=1)])
    made = connector(environment, cursor="at")
    assert read(made)[1] == {
        "airbyte": {"type": "STREAM", "stream": {"stream_descriptor": {"name": "orders"}, "stream_state": {"at": "1"}}}
    }
    everything = {"type": "GLOBAL", "global": {"stream_states": [other["stream"]]}}
    tiny.script(environment, read=[{"type": "STATE", "state": everything}])
    assert read(made)[1] == {"airbyte": everything}


def test_keys_and_cursors_inside_of_objects_are_none_and_a_stream_needs_fields(environment: Path) -> None:
    nested = {"source_defined_primary_key": [["id"], ["data", "id"]], "default_cursor_field": ["data", "at"]}
    catalog = {"streams": [{**tiny.ORDERS, **nested, "name": "a/b.c"}, {"name": "tags", "json_schema": {}}]}
    tiny.script(environment, discover=[{"type": "CATALOG", "catalog": catalog}])
    found = connector(environment, stream="a/b.c", config={"n": 3}).describe()
    assert (found.key, found.cursors) == ((), ())
    with pytest.raises(IngestError, match=r"^the stream 'tags' declares no fields, so that none of its records can be read$"):
        connector(environment, stream="tags", config={"n": 3}).describe()


def test_a_read_that_fails_yields_no_state(environment: Path) -> None:
    tiny.script(environment, read=[tiny.record(id=1), tiny.state("1"), tiny.error("gone")], exit=1)
    found: list[Any] = []
    with pytest.raises(IngestError, match=r"^gone$"):
        found.extend(connector(environment, cursor="at").read(None))
    assert found == []


def test_secrets_come_from_the_environment_into_their_place(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = connector(
        environment, cursor="at", config={"auth": {"user": "a"}}, secrets_env={"auth.token": "SHOP_TOKEN", "key": "SHOP_KEY"}
    )
    monkeypatch.setenv("SHOP_TOKEN", "sesame99")
    tiny.script(environment)
    with pytest.raises(IngestError, match="the environment variable SHOP_KEY is not set; set it to the value of 'key'"):
        made.discover()
    monkeypatch.setenv("SHOP_KEY", "12345678")
    assert made.secrets() == ("SHOP_TOKEN", "SHOP_KEY")
    digest = made.digest()
    monkeypatch.setenv("SHOP_TOKEN", "sesame00")
    assert made.digest() == digest
    read(made)
    assert tiny.calls(environment)[-1]["config"] == {"auth": {"user": "a", "token": "sesame00"}, "key": "12345678"}
    assert made.config == {"auth": {"user": "a"}}
    tiny.script(environment, read=[tiny.state("sesame00")])
    with pytest.raises(IngestError, match="its state contains the value of SHOP_TOKEN"):
        read(made)


def test_streams_have_keys_and_cursors(environment: Path) -> None:
    tiny.script(environment)
    orders, tags = connector(environment).discover()
    assert (orders.name, orders.key, orders.cursors) == ("orders", ("id",), ("at",))
    assert orders.types == {"id": "bigint", "at": "timestamp with time zone", "data": "varchar"}
    assert (tags.name, tags.columns, tags.cursors) == ("tags", (), ())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"stream": "order"}, "there is no stream 'order'; there are: orders, tags"),
        ({"cursor": "id"}, "'id' cannot be the cursor of the stream; use at"),
        ({"stream": "tags", "cursor": "id"}, "'id' cannot be the cursor of the stream, which is read as a whole; leave it out"),
    ],
)
def test_a_stream_or_cursor_that_does_not_exist_is_refused(environment: Path, options: Any, problem: str) -> None:
    tiny.script(environment)
    with pytest.raises(IngestError) as caught:
        connector(environment, **options).describe()
    assert str(caught.value) == problem


def test_check_reports_the_sentence_of_the_program(environment: Path) -> None:
    status = {"status": "FAILED", "message": "'no such account'\nmore"}
    tiny.script(environment, check=[{"type": "CONNECTION_STATUS", "connectionStatus": status}])
    with pytest.raises(IngestError, match=r"^no such account$"):
        connector(environment).check()
    tiny.script(environment, check=[{"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}}])
    connector(environment).check()


def test_each_version_has_an_environment_of_its_own() -> None:
    packages = ("airbyte-source-faker==7.2.1",)
    assert environment_of("source-faker==7.2.1") == Environment("airbyte-source-faker-7.2.1", packages)
    assert environment_of("acme[x]==1.0").name == "acme-x-1.0"
    with pytest.raises(IngestError, match=r"is no exact version of a package; write one such as source-faker==7.2.1"):
        Airbyte("source-faker", stream="users")


def test_a_source_is_declared_from_a_package_and_a_stream() -> None:
    made = Airbyte.declare("source-faker==7.2.1?stream=users", "people", Path())
    assert (made.arguments, made.stream) == ({"package": "source-faker==7.2.1", "stream": "users"}, "users")
    assert Airbyte.declare("source-faker==7.2.1", "users", Path()).stream == "users"
    with pytest.raises(IngestError, match="is no exact version"):
        Airbyte.declare("source-faker", "users", Path())


def test_options_of_an_origin_are_the_configuration() -> None:
    made = Airbyte.declare("source-faker==7.2.1?stream=users&count=100&name=a&fast=true", "people", Path())
    assert made.arguments["config"] == {"count": 100, "name": "a", "fast": True}


def test_without_a_configuration_the_defaults_of_the_specification_count(environment: Path) -> None:
    properties = {"count": {"type": "integer", "default": 1000}, "key": {"type": "string"}}
    tiny.script(environment, spec=[{"type": "SPEC", "spec": {"connectionSpecification": {"properties": properties}}}])
    connector(environment, config={}).describe()
    connector(environment, config={}).describe()
    assert [(call["call"], call.get("config")) for call in tiny.calls(environment)] == [
        ("spec", None),
        ("discover", {"count": 1000}),
    ]


def test_the_origin_is_a_dataset_of_the_package_whatever_its_version(environment: Path) -> None:
    named = {**tiny.ORDERS, "namespace": "sales"}
    tiny.script(environment, discover=[{"type": "CATALOG", "catalog": {"streams": [named]}}])
    made = connector(environment).describe()
    assert made.origins == (Origin("airbyte://source-tiny", "sales.orders", made.types),)
