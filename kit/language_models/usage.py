"""What a build, or a process, asked of each language model, and the budgets that limit it."""

from dataclasses import asdict, dataclass
from typing import Any

from kit.core import ModelError, ModelSettings
from kit.language_models.answer import Answer, Question

_BYTES_OF_TOKEN = 4
"""So many bytes of a prompt are taken for a token before the endpoint has counted them."""


@dataclass
class ModelUsage:
    """Counts of one model: requests that were `answered`, answers that were `cached`, questions that `failed`."""

    answered: int = 0
    cached: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None

    def add(self, answer: Answer) -> None:
        """Count an answer."""
        if answer.cached:
            self.cached += 1
            return
        self.answered += 1
        self.add_spent(answer)

    def add_spent(self, answer: Answer) -> None:
        """Count the tokens and the cost of a request, whether its answer is of use or not."""
        self.input_tokens += answer.input_tokens or 0
        self.output_tokens += answer.output_tokens or 0
        if answer.cost is not None:
            self.cost = round((self.cost or 0.0) + answer.cost, 9)

    def check_budget(self, settings: ModelSettings, question: Question) -> None:
        """Raise `ModelError` when the next question, with the longest answer, might exceed a budget."""
        asked = sum(len(message["content"].encode()) for message in question.messages) // _BYTES_OF_TOKEN
        longest = question.max_tokens or settings.max_tokens
        spent, tokens = self.input_tokens + self.output_tokens, asked + longest
        if settings.token_budget is not None and spent + tokens > settings.token_budget:
            raise ModelError(
                f"the model '{settings.name}' may use {settings.token_budget:,} tokens: {spent:,} were used, and this question "
                f"may need {tokens:,}; ask less, or raise token_budget in [tool.kit.models.{settings.name}]"
            )
        cost = settings.cost(asked, longest)
        if settings.cost_budget is not None and cost is not None and (self.cost or 0) + cost > settings.cost_budget:
            raise ModelError(
                f"the model '{settings.name}' may cost {settings.cost_budget:g}: {self.cost or 0:g} were spent, and this "
                f"question may cost {cost:g}; ask less, or raise cost_budget in [tool.kit.models.{settings.name}]"
            )

    def to_json(self) -> dict[str, Any]:
        """The counts as JSON values."""
        return asdict(self)
