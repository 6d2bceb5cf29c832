import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from kit.core import ModelError, ModelSettings
from kit.language_models.answer import Question
from kit.language_models.endpoint import Unanswered, Unusable, complete
from tests.support.model_server import HTML, ModelServer, dead_url, model_server

QUESTION = Question(({"role": "user", "content": "Which cheese is blue?"},), context=("c1",))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


def settings(server: ModelServer, **more: object) -> ModelSettings:
    return replace(ModelSettings("acme", server.url, "small"), **more)  # type: ignore[arg-type]


def test_an_answer_has_its_model_tokens_cost_and_time(server: ModelServer) -> None:
    answer = complete(settings(server, input_price=2.0, output_price=10.0, options={"top_p": 1}), QUESTION, "k-123456")
    assert (answer.text, answer.model, answer.answered_by) == ("answer to 21 characters", "acme", "small-0613")
    assert (answer.input_tokens, answer.output_tokens, answer.cost) == (100, 20, 0.0004)
    assert (answer.prompt, answer.context, answer.cached) == ("Which cheese is blue?", ("c1",), False)
    assert answer.seconds is not None and answer.seconds >= 0
    (asked,) = server.requests
    assert (asked.path, asked.key) == ("/v1/chat/completions", "k-123456")
    assert asked.value == {
        "model": "small", "messages": [{"role": "user", "content": "Which cheese is blue?"}], "temperature": 0.0,
        "max_tokens": 1000, "top_p": 1,
    }  # fmt: skip


def test_without_prices_and_usage_nothing_is_invented(server: ModelServer) -> None:
    server.tokens = None
    answer = complete(settings(server), QUESTION, "")
    assert (answer.input_tokens, answer.output_tokens, answer.cost) == (None, None, None)
    assert server.requests[0].key == ""


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ((200, HTML), "gave no answer: the answer is no JSON, but text/html that begins with '<html><body>Sign in"),
        (
            (200, b'{"choices": [{"mess'),
            "gave no answer: the answer is no JSON, but application/json that begins with '{\"choices",
        ),
        ((200, b"[" * 100_000), "gave no answer: the answer is no JSON"),
        ((200, b'{"object": "list"}'), "gave no text, or its answer is not one of the OpenAI API"),
        ((200, b'{"choices": [{"message": {"content": null, "refusal": "I cannot help"}}]}'), "it refused: I cannot help"),
        ((401, b'{"error": {"message": "wrong key"}}'), "gave no answer: HTTP status 401: wrong key"),
        ((400, b'{"error": "the context has 9000 tokens, the model 8192"}'), "HTTP status 400: the context has 9000 tokens"),
        ((302, b""), "gave no answer: HTTP status 302"),
        ((200, b"x" * 8_000_001), "the answer has more than 8,000,000 bytes"),
    ],
)
def test_nonsense_is_one_clear_error_and_not_tried_again(server: ModelServer, reply: tuple[int, bytes], says: str) -> None:
    server.replies = [reply]
    with pytest.raises(ModelError) as raised:
        complete(settings(server), QUESTION, "", [0, 0])
    assert says in str(raised.value)
    assert str(raised.value).startswith(f"the model 'acme' at {server.url}")
    assert len(server.requests) == 1
    assert not isinstance(raised.value, Unanswered)


def test_a_cut_answer_is_refused_with_what_it_cost(server: ModelServer) -> None:
    server.finish = "length"
    with pytest.raises(Unusable, match="was cut after 7 tokens; ask for less, or raise max_tokens") as raised:
        complete(settings(server, max_tokens=7, input_price=1.0, output_price=1.0), QUESTION, "")
    assert (raised.value.spent.input_tokens, raised.value.spent.cost) == (100, 0.00012)


def test_a_budget_needs_an_endpoint_that_counts(server: ModelServer) -> None:
    server.tokens = None
    with pytest.raises(ModelError, match="does not say how many tokens it used"):
        complete(settings(server, token_budget=10_000), QUESTION, "")


@pytest.mark.parametrize("reply", [(429, b"slow down"), (503, b""), (0, b"")])
def test_what_may_pass_is_tried_again(server: ModelServer, reply: tuple[int, bytes]) -> None:
    server.replies = [reply, reply]
    assert complete(settings(server), QUESTION, "", [0, 0]).text == "answer to 21 characters"
    assert len(server.requests) == 3


def test_an_overloaded_endpoint_says_when_to_come_back(server: ModelServer) -> None:
    server.replies, server.headers = [(429, b"")], {"Retry-After": "0"}
    assert complete(settings(server), QUESTION, "", [600]).text
    assert len(server.requests) == 2


def test_a_dead_endpoint_is_given_up_after_its_attempts() -> None:
    dead = ModelSettings("acme", dead_url(), "small")
    with pytest.raises(Unanswered, match=r"gave no answer in 3 attempts: .*[Cc]onnection refused"):
        complete(dead, QUESTION, "", [0, 0])


def test_an_endpoint_that_does_not_end_is_given_up(server: ModelServer) -> None:
    server.seconds = 3
    with pytest.raises(Unanswered, match="gave no answer: timed out"):
        complete(settings(server, timeout_seconds=1), QUESTION, "", [])


def test_the_client_of_openai_speaks_the_same_protocol(server: ModelServer) -> None:
    """The stand-in is an endpoint of the public API: its own client sends the same request and reads the same answer."""
    import openai

    ours = complete(settings(server), QUESTION, "k-123456")
    client = openai.OpenAI(base_url=server.url, api_key="k-123456", max_retries=0)
    theirs = client.chat.completions.create(
        model="small", messages=[dict(message) for message in QUESTION.messages], temperature=0.0, max_tokens=1000
    )
    assert theirs.choices[0].message.content == ours.text
    assert (theirs.model, theirs.usage.prompt_tokens, theirs.usage.completion_tokens) == (ours.answered_by, 100, 20)
    first, second = server.requests
    assert (first.path, first.key, first.value) == (second.path, second.key, second.value)
    assert json.dumps(first.value, sort_keys=True) == json.dumps(second.value, sort_keys=True)
