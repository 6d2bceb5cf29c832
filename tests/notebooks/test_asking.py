from collections.abc import Iterator

import pytest

import kit
from kit.core import ModelError
from kit.notebooks import asking, ports_read
from tests.support.advice import allow
from tests.support.model_server import ModelServer, model_server
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def server(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """The mesh that this process works in, with a model `acme`."""
    monkeypatch.chdir(small.root)
    monkeypatch.delenv("KIT_ROOT", raising=False)
    monkeypatch.setattr(ports_read, "_read", set())
    monkeypatch.setattr(asking, "_usage", {})
    with model_server() as running:
        with (small.root / "pyproject.toml").open("a") as file:
            file.write(running.settings("acme", token_budget=400, max_tokens=50))
        yield running


def test_people_ask_a_model_and_get_what_was_asked_before_for_nothing(server: ModelServer) -> None:
    first = kit.model("acme").ask("Which cheese is blue?", system="Answer in a word.")
    assert first.text == "answer to 39 characters"
    assert [message["role"] for message in server.requests[0].value["messages"]] == ["system", "user"]
    assert kit.model("acme").ask("Which cheese is blue?", system="Answer in a word.").cached
    assert kit.model("acme").ask([{"role": "user", "content": "hello"}], max_tokens=5).text
    assert [asked.value["max_tokens"] for asked in server.requests] == [50, 5]
    with pytest.raises(kit.ModelError, match="may use 400 tokens: 240 were used"):
        kit.model("acme").ask("x" * 600)


def test_what_a_process_has_read_may_be_sent_where_the_contracts_allow_it(small: SmallMesh, server: ModelServer) -> None:
    small.publish("shop")
    assert kit.model("acme").ask("nothing was read yet").text
    kit.read("shop.totals")
    with pytest.raises(ModelError, match=r"the contract of 'shop.totals' does not allow http://127.0.0.1:"):
        kit.model("acme").ask("now a port was read")
    allow(small.domains / "shop/contracts/totals.odcs.yaml", [server.url])
    assert kit.model("acme").ask("now a port was read").text
    kit.scan("shop.sales")
    with pytest.raises(ModelError, match=r"the contract of 'shop.sales' does not allow"):
        kit.model("acme").ask("now another one was read")
    assert len(server.requests) == 2


@pytest.mark.parametrize("way", ["catalog", "sql", "quarantine"])
def test_every_way_to_read_counts(small: SmallMesh, server: ModelServer, way: str) -> None:
    small.publish("shop")
    if way == "catalog":
        kit.open()["shop.totals"].read()
    elif way == "sql":
        from kit.jupyter.session_pins import SessionPins

        pins = SessionPins(small.config)
        pins.files("shop.totals")
        pins.close()
    else:
        ports_read.note_read("shop.totals__quarantine")
    with pytest.raises(ModelError, match=r"'shop\.totals(__quarantine)?' (has no contract that|does not allow)|does not allow"):
        kit.model("acme").ask("a question")
    assert server.requests == []


def test_an_unknown_model_is_named_when_it_is_asked(server: ModelServer) -> None:
    with pytest.raises(ModelError, match="this mesh has no model 'globex'; there are: acme"):
        kit.model("globex").ask("hello")


def test_settings_that_change_count_for_the_next_question(small: SmallMesh, server: ModelServer) -> None:
    assert kit.model("acme").ask("hello").text
    small.replace("pyproject.toml", "token_budget = 400", "token_budget = 160")
    with pytest.raises(ModelError, match="may use 160 tokens: 120 were used"):
        kit.model("acme").ask("hello again")
