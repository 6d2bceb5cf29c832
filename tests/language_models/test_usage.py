from kit.core import ModelSettings
from kit.language_models.answer import Answer, Question
from kit.language_models.usage import ModelUsage


def test_counts_are_those_of_requests_that_were_made() -> None:
    usage = ModelUsage()
    usage.add(Answer("a", "acme", "small", input_tokens=10, output_tokens=5, cost=0.1))
    usage.add(Answer("a", "acme", "small", input_tokens=10, output_tokens=5, cost=0.1, cached=True))
    usage.add_spent(Answer("", "acme", "small", input_tokens=1, output_tokens=None, cost=None))
    assert usage.to_json() == {
        "answered": 1, "cached": 1, "failed": 0, "input_tokens": 11, "output_tokens": 5, "cost": 0.1,
    }  # fmt: skip


def test_without_a_budget_nothing_is_refused() -> None:
    question = Question(({"role": "user", "content": "x" * 1_000_000},))
    ModelUsage(input_tokens=10**9).check_budget(ModelSettings("acme", "https://a.example.com", "m"), question)
