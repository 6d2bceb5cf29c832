"""Secrets: environment variables whose values no record of a run may show."""

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

from kit.core.config import MASK_KEY, Config
from kit.core.errors import ConfigError

SHORTEST = 6
"""Characters; a shorter value could not be told from other text."""


@dataclass(frozen=True)
class Secrets:
    """The values of secrets by their names. Code reads them from its environment; what is kept of a run shows `[NAME]`.

    What code derives from a value is not recognised, unless it is the value as a URL, HTML, JSON or Python writes it.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, config: Config, environ: Mapping[str, str] = os.environ) -> "Secrets":
        """Those that the settings of the mesh name or match, and always the key of masked columns.

        Raises `ConfigError` for one that is named and too short; one that is only matched is then no secret.
        """
        found = {MASK_KEY: config.mask_key} if len(config.mask_key) >= SHORTEST else {}
        for name, value in environ.items():
            if value and any(fnmatchcase(name, pattern) for pattern in config.secrets):
                if len(value) >= SHORTEST:
                    found[name] = value
                elif name in config.secrets:
                    raise ConfigError(
                        f"the secret {name} has only {len(value)} characters and could not be told from other text; "
                        f"give it at least {SHORTEST}, or take it out of `secrets` in [tool.kit]"
                    )
        return cls(found)

    def scrubbed(self, value: Any) -> Any:
        """A text, or whatever lists and mappings hold, with a name in the place of each secret."""
        if not self.values:
            return value
        if isinstance(value, str):
            return self._pattern.sub(lambda found: f"[{self._names[found[0]]}]", value)
        if isinstance(value, list):
            return [self.scrubbed(item) for item in value]
        if isinstance(value, dict):
            return type(value)({self.scrubbed(key): self.scrubbed(item) for key, item in value.items()})
        return value

    def found_in(self, value: Any) -> str | None:
        """The name of a secret that a value holds, or None."""
        found = self._pattern.search(str(value)) if self.values else None
        return self._names[found[0]] if found else None

    @cached_property
    def _names(self) -> dict[str, str]:
        """The name of each secret by every form its value is written in; of one of several lines each counts."""
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
