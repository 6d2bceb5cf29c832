"""Questions to language models, their answers, and the store of answers, found again by the content of the question."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from kit.core import KitError, ModelError, ModelSettings, make_folder, read_json, to_json, write_durably

FOLDER = "answers"
"""The folder in the storage with one file for each answer."""

_ROLES = ("system", "user", "assistant", "developer")
Messages = tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Answer:
    """The answer of a language model, with what was asked.

    `model` is the name in the settings, `answered_by` the model that the endpoint named, or `fixture` for a committed answer.
    `prompt` is the text as it was sent, without secrets and hidden values; `context` are the ids that the caller gave. Tokens,
    `cost` (in the currency of the prices) and `seconds` are those of the request that was made, None where nobody measured
    them. `cached` answers were given before and were not asked for again.
    """

    text: str
    model: str
    answered_by: str
    prompt: str = ""
    context: tuple[str, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None
    cached: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Answer":
        """Return the answer that `to_json` described."""
        known = {item.name: data[item.name] for item in fields(cls) if item.name in data}
        return cls(**{**known, "context": tuple(known.get("context", ()))})

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Question:
    """What is asked: messages of a chat, the key of a committed answer, ids of the context, and a limit of the answer."""

    messages: Messages
    key: str = ""
    context: tuple[str, ...] = ()
    max_tokens: int | None = None

    @classmethod
    def of(
        cls, prompt: str | Sequence[Mapping[str, str]], system: str, key: str, context: Sequence[str], max_tokens: int | None
    ) -> "Question":
        """Return the question of a prompt, or of a whole list of messages; raises `ModelError` for anything else."""
        given: list[Mapping[str, str]] = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
        messages: list[Mapping[str, str]] = [{"role": "system", "content": system}, *given] if system else given
        for message in messages:
            fits = isinstance(message, Mapping) and message.keys() == {"role", "content"} and message["role"] in _ROLES
            if not fits or not isinstance(message["content"], str):
                raise ModelError(f"{message!r} is no message; write {{'role': 'user', 'content': 'a text'}}")
        if not any(message["content"].strip() for message in messages):
            raise ModelError("the prompt is empty; write what the model is to do")
        if max_tokens is not None and (type(max_tokens) is not int or max_tokens < 1):
            raise ModelError(f"max_tokens is {max_tokens!r}; it must be a whole number above 0")
        return cls(tuple(map(dict, messages)), str(key), tuple(map(str, context)), max_tokens)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Question":
        """Return the question that `to_json` described."""
        return cls(tuple(data["messages"]), data["key"], tuple(data["context"]), data["max_tokens"])

    def to_json(self) -> dict[str, Any]:
        """The question as JSON values."""
        return asdict(self)

    @property
    def prompt(self) -> str:
        """The texts of all messages, as one."""
        return "\n\n".join(message["content"] for message in self.messages)

    def body(self, settings: ModelSettings) -> dict[str, Any]:
        """The JSON object of the request, as the OpenAI API has it (`POST /chat/completions`)."""
        return {
            "model": settings.model, "messages": list(self.messages), "temperature": settings.temperature,
            "max_tokens": self.max_tokens or settings.max_tokens, **settings.options,
        }  # fmt: skip


@dataclass(frozen=True)
class AnswerStore:
    """The answers that were given so far. They are kept until somebody deletes the folder, and asked for again then."""

    storage: Path

    def find(self, settings: ModelSettings, question: Question) -> Answer | None:
        """Return the answer to just this request; None when it was not asked yet, or the file of the answer is damaged."""
        path = self._path(settings, question)
        with suppress(KitError, KeyError, TypeError):
            return replace(
                Answer.from_json(read_json(path)), model=settings.name, prompt=question.prompt, context=question.context,
                cached=True,
            )  # fmt: skip
        return None

    def put(self, settings: ModelSettings, question: Question, answer: Answer) -> None:
        """Keep an answer, without what was asked."""
        path = self._path(settings, question)
        make_folder(path.parent)
        write_durably(path, to_json({**answer.to_json(), "prompt": "", "context": []}))

    def _path(self, settings: ModelSettings, question: Question) -> Path:
        parts = json.dumps([settings.base_url, question.body(settings)], sort_keys=True)
        key = hashlib.sha256(parts.encode()).hexdigest()
        return self.storage / FOLDER / key[:2] / f"{key}.json"
