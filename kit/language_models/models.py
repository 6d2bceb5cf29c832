"""The language models of a mesh: the one way to ask one, whoever asks."""

import os
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

from kit.core import Config, ModelError, ModelSettings, read_json, there_are
from kit.language_models.answer import Answer, AnswerStore, Question
from kit.language_models.endpoint import WAITS, Unanswered, Unusable, complete
from kit.language_models.prompt_secrets import without_secrets
from kit.language_models.usage import ModelUsage

Egress = Callable[[ModelSettings], str]
"""Returns why nothing may be sent to an endpoint; empty when it may be."""


class Models:
    """Asks the models of a mesh for one build, or one question by hand; `usage` has the counts of each that was asked.

    `scrub` takes values out of a prompt that no model may get. An endpoint that did not answer is not asked again. Budgets
    count what is in `usage` already.
    """

    def __init__(
        self,
        config: Config,
        scrub: Callable[[Any], Any],
        waits: Sequence[float] = WAITS,
        usage: dict[str, ModelUsage] | None = None,
    ) -> None:
        self.config = config
        self.usage = {} if usage is None else usage
        self._scrub, self._waits = scrub, waits
        self._store = AnswerStore(config.storage)
        self._dead: dict[str, str] = {}
        self._lock = Lock()

    def ask(self, name: str, question: Question, egress: Egress) -> Answer:
        """Return the answer of a model, a stored one where just this was asked before; raises `ModelError`."""
        with self._lock:  # budgets are kept for one question after another
            settings = settings_of(self.config.models, name)
            usage = self.usage.setdefault(name, ModelUsage())
            try:
                answer = self._ask(settings, question, egress, usage)
            except ModelError:
                usage.failed += 1
                raise
            usage.add(answer)
            return answer

    def _ask(self, settings: ModelSettings, question: Question, egress: Egress, usage: ModelUsage) -> Answer:
        if settings.answers:
            return _committed(settings, question)
        if reason := egress(settings):
            raise ModelError(f"nothing was sent to the model '{settings.name}': {reason}")
        question = without_secrets(question, self.config.secrets, self._scrub)
        if answer := self._store.find(settings, question):
            return answer
        if settings.name in self._dead:
            raise ModelError(self._dead[settings.name])
        key = os.environ.get(settings.key_env, "") if settings.key_env else ""
        if settings.key_env and not key:
            raise ModelError(f"the model '{settings.name}' has no key: the environment variable {settings.key_env} is not set")
        usage.check_budget(settings, question)
        try:
            answer = complete(settings, question, key, self._waits)
        except Unanswered as error:
            self._dead[settings.name] = str(self._scrub(str(error)))
            raise ModelError(self._dead[settings.name]) from None
        except ModelError as error:
            if isinstance(error, Unusable):
                usage.add_spent(error.spent)
            raise ModelError(self._scrub(str(error))) from None
        self._store.put(settings, question, answer)
        return answer


def settings_of(models: Mapping[str, ModelSettings], name: str) -> ModelSettings:
    """Return the settings of a model; raises `ModelError` for one that the mesh does not have."""
    if name not in models:
        raise ModelError(f"this mesh has no model '{name}'; {there_are(name, sorted(models))}. Add [tool.kit.models.{name}]")
    return models[name]


def _committed(settings: ModelSettings, question: Question) -> Answer:
    """Return the committed answer with the key of a question; it has no tokens and no cost, since no model was asked."""
    assert settings.answers is not None
    answers = read_json(settings.answers)
    if not isinstance(answers, dict) or not isinstance(answers.get(question.key), str):
        raise ModelError(
            f"the answers of the model '{settings.name}' in {settings.answers.name} have none for '{question.key}'"
        )
    return Answer(answers[question.key], settings.name, "fixture", question.prompt, question.context)
