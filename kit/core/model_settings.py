"""The language models of a mesh: `[tool.kit.models.<name>]` of pyproject.toml."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kit.core.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADDRESS = "the address of a server, such as https://models.example.com/v1"
_OWN = {"model", "messages", "temperature", "max_tokens", "stream", "n"}
"""What a request contains besides `options`."""


@dataclass(frozen=True)
class ModelSettings:
    """One language model: an endpoint of the OpenAI API, or a file of committed answers.

    `base_url` is the endpoint, `key_env` the environment variable with its key. `max_tokens` limits one answer,
    `timeout_seconds` one attempt, `token_budget` and `cost_budget` one build, or by hand one process; None is no limit. Prices
    are for a million tokens. `options` are further fields of a request. `answers` is a JSON file with an answer for each key,
    given instead of an endpoint.
    """

    name: str
    base_url: str = ""
    model: str = ""
    key_env: str = ""
    temperature: float = 0.0
    max_tokens: int = 1000
    timeout_seconds: int = 60
    token_budget: int | None = None
    cost_budget: float | None = None
    input_price: float | None = None
    output_price: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    answers: Path | None = None

    @classmethod
    def from_settings(cls, root: Path, table: Any) -> "dict[str, ModelSettings]":
        """Return the models of a table in pyproject.toml by name; raises `ConfigError` with the setting and value."""
        if not isinstance(table, dict):
            raise ConfigError(f"pyproject.toml: [tool.kit.models] is {table!r}; it must contain a table for each model")
        return {name: _Reader(root, name, values).model() for name, values in table.items()}

    def digest(self) -> str:
        """Return a digest of all that determines an answer, besides what is asked."""
        parts: list[Any] = [self.base_url, self.model, self.temperature, self.max_tokens, dict(self.options)]
        if self.answers:
            parts.append(hashlib.sha256(self.answers.read_bytes()).hexdigest() if self.answers.is_file() else None)
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    def cost(self, input_tokens: int, output_tokens: int) -> float | None:
        """Return what so many tokens cost, in the currency of the prices; None without prices."""
        if self.input_price is None or self.output_price is None:
            return None
        return round((input_tokens * self.input_price + output_tokens * self.output_price) / 1_000_000, 9)


class _Reader:
    def __init__(self, root: Path, name: str, table: Any) -> None:
        self.root, self.name, self.table = root, name, table
        self.where = f"pyproject.toml: [tool.kit.models.{name}]"

    def model(self) -> ModelSettings:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"{self.where}: '{self.name}' is no name of a model; use letters, digits, - and _, at most 63")
        if not isinstance(self.table, dict):
            raise ConfigError(f"{self.where} is {self.table!r}; it must be a table of settings")
        known = [item.name for item in fields(ModelSettings) if item.name != "name"]
        for name in self.table:
            if name not in known:
                raise ConfigError(f"{self.where} has no setting '{name}'; there are: {', '.join(known)}")
        if "answers" in self.table:
            return self.of_answers()
        for name in ("base_url", "model"):
            if name not in self.table:
                raise ConfigError(f"{self.where} has no {name}; give base_url and model, or a file of `answers`")
        settings = {name: self.value(name, value) for name, value in self.table.items()}
        prices = [name for name in ("input_price", "output_price") if name in settings]
        if len(prices) == 1 or ("cost_budget" in settings and not prices):
            raise ConfigError(f"{self.where}: a cost needs input_price and output_price, for a million tokens; give both")
        return ModelSettings(self.name, **settings)

    def of_answers(self) -> ModelSettings:
        if others := [name for name in self.table if name not in ("answers", "model")]:
            raise ConfigError(f"{self.where}: committed answers have no {others[0]}; delete it, or `answers`")
        path = self.value("answers", self.table["answers"])
        return ModelSettings(self.name, answers=self.root / path, model=self.value("model", self.table.get("model", "fixture")))

    def value(self, name: str, value: Any) -> Any:
        """Return the value of a setting in its type; raises `ConfigError` for a wrong one."""
        is_number = type(value) in (int, float)
        if name == "base_url":
            fits, allowed = _is_address(value), f"{_ADDRESS}, without a user, a password or a query"
            value = value.rstrip("/") if fits else value
        elif name in ("model", "answers"):
            fits, allowed = isinstance(value, str) and value.strip() != "", "a text"
        elif name == "key_env":
            fits, allowed = isinstance(value, str) and bool(_VARIABLE.fullmatch(value)), "the name of an environment variable"
        elif name == "options":
            fits = isinstance(value, dict) and not _OWN.intersection(value)
            allowed = f"a table of further fields of a request, none of {', '.join(sorted(_OWN))}"
        elif name in ("max_tokens", "timeout_seconds", "token_budget"):
            fits, allowed = type(value) is int and value > 0, "a whole number above 0"
        else:
            fits, allowed = is_number and 0 <= value < float("inf"), "a number, at least 0"
        if not fits:
            raise ConfigError(f"{self.where} {name} is {value!r}; it must be {allowed}")
        return value


def _is_address(value: Any) -> bool:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        return bool(
            parts
            and parts.scheme in ("http", "https")
            and parts.hostname
            and (parts.port or 1) > 0
            and not (parts.username or parts.password or parts.query or parts.fragment)
            and not re.search(r"\s", value)
        )
    except ValueError:
        return False
