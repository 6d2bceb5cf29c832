from pathlib import Path

from kit.core import ModelSettings
from kit.language_models.answer import Answer, AnswerStore, Question


def test_a_question_and_an_answer_pass_as_json() -> None:
    question = Question.of("why?", "be brief", "k", ["c1", "c2"], 7)
    assert Question.from_json(question.to_json()) == question
    assert (question.prompt, [message["role"] for message in question.messages]) == ("be brief\n\nwhy?", ["system", "user"])
    answer = Answer("because", "acme", "small", "why?", ("c1",), 1, 2, 0.5, 0.1, cached=True)
    assert Answer.from_json({**answer.to_json(), "of a newer kit": 1}) == answer


def test_the_store_finds_the_answer_to_the_same_request_only(tmp_path: Path) -> None:
    settings, store = ModelSettings("acme", "https://a.example.com", "m"), AnswerStore(tmp_path)
    question = Question.of("why?", "", "", ["c1"], None)
    store.put(settings, question, Answer("because", "acme", "m", "why?", ("c1",)))
    found = store.find(settings, Question.of("why?", "", "", ["c2"], None))
    assert found == Answer("because", "acme", "m", "why?", ("c2",), cached=True)
    assert store.find(settings, Question.of("why not?", "", "", (), None)) is None
    assert store.find(ModelSettings("acme", "https://b.example.com", "m"), question) is None
