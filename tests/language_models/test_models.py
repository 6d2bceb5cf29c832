import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.core import Config, ModelError, Secrets
from kit.language_models.answer import FOLDER, Question
from kit.language_models.models import Models
from tests.support.model_server import ModelServer, dead_url, model_server


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


def question(text: str = "Which cheese is blue?", **more: Any) -> Question:
    return Question.of(text, "", more.pop("key", ""), more.pop("context", ()), more.pop("max_tokens", None))


def models(root: Path, tables: str) -> Models:
    (root / "pyproject.toml").write_text(f'[tool.kit]\nstorage = "state"\n{tables}')
    config = Config.load(root, {})
    return Models(config, Secrets.from_environment(config).scrubbed, [0])


def allowed(_: object) -> str:
    return ""


def test_what_was_asked_before_is_not_asked_again_by_another_process(tmp_path: Path, server: ModelServer) -> None:
    table = server.settings("acme", input_price=1.0, output_price=1.0)
    first = models(tmp_path, table).ask("acme", question(context=["c1"]), allowed)
    other = models(tmp_path, table)
    second = other.ask("acme", question(context=["c2"]), allowed)
    assert (first.cached, second.cached, len(server.requests)) == (False, True, 1)
    assert (second.text, second.cost, second.seconds, second.context) == (first.text, first.cost, first.seconds, ("c2",))
    assert other.usage["acme"].to_json() == {
        "answered": 0, "cached": 1, "failed": 0, "input_tokens": 0, "output_tokens": 0, "cost": None,
    }  # fmt: skip
    assert "Which cheese" not in "".join(path.read_text() for path in (tmp_path / "state" / FOLDER).rglob("*.json"))


@pytest.mark.parametrize("change", [{"model": "large"}, {"temperature": 1}, {"max_tokens": 9}, {"options": {"seed": 1}}])
def test_another_request_is_asked(tmp_path: Path, server: ModelServer, change: dict[str, Any]) -> None:
    models(tmp_path, server.settings("acme")).ask("acme", question(), allowed)
    text = "\n[tool.kit.models.acme]\n"
    for name, value in {"base_url": server.url, "model": "small", **change}.items():
        text += f"{name} = {json.dumps(value) if not isinstance(value, dict) else '{seed = 1}'}\n"
    models(tmp_path, text).ask("acme", question(), allowed)
    assert len(server.requests) == 2


def test_a_damaged_answer_is_asked_for_again(tmp_path: Path, server: ModelServer) -> None:
    table = server.settings("acme")
    models(tmp_path, table).ask("acme", question(), allowed)
    (path,) = (tmp_path / "state" / FOLDER).rglob("*.json")
    path.write_text('{"text": ')
    assert models(tmp_path, table).ask("acme", question(), allowed).cached is False
    assert models(tmp_path, table).ask("acme", question(), allowed).cached is True


def test_a_budget_of_tokens_ends_before_it_is_exceeded(tmp_path: Path, server: ModelServer) -> None:
    asked = models(tmp_path, server.settings("acme", token_budget=300, max_tokens=50))
    for number in range(2):
        asked.ask("acme", question(f"question {number}"), allowed)
    with pytest.raises(
        ModelError, match="may use 300 tokens: 240 were used, and this question may need 65; ask less, or raise"
    ):
        asked.ask("acme", question("x" * 60), allowed)
    assert len(server.requests) == 2
    assert asked.ask("acme", question("question 0"), allowed).cached  # what is known costs nothing
    assert asked.usage["acme"].failed == 1


def test_a_budget_of_money_counts_answers_that_are_of_no_use(tmp_path: Path, server: ModelServer) -> None:
    server.finish = "length"
    asked = models(tmp_path, server.settings("acme", cost_budget=0.0002, input_price=1.0, output_price=1.0, max_tokens=50))
    with pytest.raises(ModelError, match="was cut after 50 tokens"):
        asked.ask("acme", question("a"), allowed)
    with pytest.raises(ModelError, match=r"may cost 0.0002: 0.00012 were spent, and this question may cost 0.000"):
        asked.ask("acme", question("b" * 200), allowed)
    assert (len(server.requests), asked.usage["acme"].cost, asked.usage["acme"].failed) == (1, 0.00012, 2)


def test_a_dead_endpoint_is_not_asked_for_each_question(tmp_path: Path, server: ModelServer) -> None:
    tables = server.settings("acme") + f'[tool.kit.models.gone]\nbase_url = "{dead_url()}"\nmodel = "m"\n'
    asked = models(tmp_path, tables)
    for number in range(3):
        with pytest.raises(ModelError, match=r"the model 'gone' at .* gave no answer in 2 attempts"):
            asked.ask("gone", question(f"q{number}"), allowed)
        assert asked.ask("acme", question(f"q{number}"), allowed).text
    server.replies = [(503, b"")] * 10
    for number in (10, 11):
        with pytest.raises(ModelError, match="HTTP status 503"):
            asked.ask("acme", question(f"q{number}"), allowed)
    assert len(server.requests) == 3 + 2


def test_a_contract_that_does_not_allow_it_is_asked_before_anything_is_sent(tmp_path: Path, server: ModelServer) -> None:
    asked = models(tmp_path, server.settings("acme"))
    with pytest.raises(ModelError, match="nothing was sent to the model 'acme': the contract says no"):
        asked.ask("acme", question(), lambda settings: "the contract says no")
    assert server.requests == []


def test_an_unknown_model_and_one_without_its_key_are_named(tmp_path: Path, server: ModelServer) -> None:
    asked = models(tmp_path, server.settings("acme", key_env="ACME_KEY"))
    with pytest.raises(ModelError, match=r"no model 'acm'; did you mean acme\? there are: acme. Add \[tool.kit.models.acm\]"):
        asked.ask("acm", question(), allowed)
    with pytest.raises(ModelError, match="has no key: the environment variable ACME_KEY is not set"):
        asked.ask("acme", question(), allowed)
    assert server.requests == []


def test_no_secret_leaves_and_none_is_in_an_error(tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "sk-the-key-of-acme")
    monkeypatch.setenv("SHOP_TOKEN", "tok-abcdef-123")
    asked = models(tmp_path, server.settings("acme", key_env="ACME_KEY"))
    aws = "AKIA" + "IOSFODNN7EXAMPLE"
    private = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabcdef\n-----END RSA PRIVATE KEY-----"
    text = f"""fix it: tok-abcdef-123 and sk-the-key-of-acme
aws_access_key_id = {aws}  # pragma: allowlist secret
{private}
db_password = "hunter2-hunter2"
the rest stays"""
    answer = asked.ask("acme", question(text), allowed)
    (request,) = server.requests
    for secret in ("tok-abcdef-123", aws, "MIIEow", "hunter2"):
        assert secret.encode() not in request.raw
    assert request.raw.count(b"sk-the-key-of-acme") == 1  # in the header of the request
    assert request.texts.splitlines()[0] == "fix it: [SHOP_TOKEN] and [ACME_KEY]"
    assert request.texts.splitlines()[-1] == "the rest stays"
    assert answer.prompt == request.texts
    server.replies = [(401, b'{"error": {"message": "the key sk-the-key-of-acme is wrong"}}')]
    with pytest.raises(ModelError, match=r"the key \[ACME_KEY\] is wrong"):
        asked.ask("acme", question("other"), allowed)


def test_committed_answers_have_no_tokens_and_no_cost(tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text('{"issue 1": "Blue Stilton."}')
    asked = models(tmp_path, '[tool.kit.models.demo]\nanswers = "answers.json"\n')
    answer = asked.ask("demo", question(key="issue 1"), lambda settings: "never asked")
    assert (answer.text, answer.answered_by, answer.input_tokens, answer.cost) == ("Blue Stilton.", "fixture", None, None)
    with pytest.raises(ModelError, match=r"the answers of the model 'demo' in answers.json have none for 'issue 2'"):
        asked.ask("demo", question(key="issue 2"), allowed)
    assert asked.usage["demo"].cost is None


@pytest.mark.parametrize("prompt", ["  ", [], [{"role": "user"}], [{"role": "boss", "content": "x"}], ["text"]])
def test_a_prompt_that_is_none_is_refused(prompt: Any) -> None:
    with pytest.raises(ModelError):
        Question.of(prompt, "", "", (), None)
