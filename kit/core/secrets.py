"""Secrets: environment variables whose values never appear in records of runs."""

import html
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any
from urllib.parse import quote, quote_plus

from kit.core.config import Config
from kit.core.errors import ConfigError
from kit.core.mask_key import MASK_KEY

SHORTEST = 6
"""Minimum length of a secret in characters; a shorter value would match ordinary text."""


@dataclass(frozen=True)
class Secrets:
    """The values of secrets by name. Code reads them from its environment; records of a run contain `[NAME]` instead.

    A value is recognised as it is and as URL, HTML, JSON or Python escape it, but not when code derives another from it.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, config: Config, environ: Mapping[str, str] = os.environ) -> "Secrets":
        """Return the variables whose names the settings list or match, and always the key for masking.

        Raises `ConfigError` for a listed one that is too short; a matched one that is too short is no secret.
        """
        values = {MASK_KEY: config.mask_key} if len(config.mask_key) >= SHORTEST else {}
        for name, value in environ.items():
            if value and any(fnmatchcase(name, pattern) for pattern in config.secrets):
                if len(value) >= SHORTEST:
                    values[name] = value
                elif name in config.secrets:
                    raise ConfigError(
                        f"the secret {name} has only {len(value)} characters and would match ordinary text; "
                        f"give it at least {SHORTEST}, or take it out of `secrets` in [tool.kit]"
                    )
        return cls(values)

    def scrubbed(self, value: Any) -> Any:
        """Return a text, or nested lists and mappings of texts, with `[NAME]` in place of each secret."""
        if not self.values:
            return value
        if isinstance(value, str):
            return self._pattern.sub(lambda match: f"[{self._names[match[0]]}]", value)
        if isinstance(value, list):
            return [self.scrubbed(item) for item in value]
        if isinstance(value, dict):
            return type(value)({self.scrubbed(key): self.scrubbed(item) for key, item in value.items()})
        return value

    def found_in(self, value: Any) -> str | None:
        """Return the name of a secret that a value contains, or None."""
        match = self._pattern.search(str(value)) if self.values else None
        return self._names[match[0]] if match else None

    @cached_property
    def _names(self) -> dict[str, str]:
        """The name of each secret by every form of its value; each line of a value counts by itself."""
        return {
            form: name
            for name, value in self.values.items()
            for part in (value, *value.splitlines())
            for form in _forms(part.strip())
            if len(part.strip()) >= SHORTEST
        }

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, sorted(self._names, key=len, reverse=True))))


def _forms(value: str) -> set[str]:
    plain = {value, html.escape(value), json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    return plain | {quote(value), quote(value, safe=""), quote_plus(value)}
