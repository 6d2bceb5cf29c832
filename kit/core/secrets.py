"""Secrets: environment variables whose values never appear in records of runs."""

import base64
import html
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any
from urllib.parse import quote, quote_plus

from kit.core.config import Config
from kit.core.errors import ConfigError
from kit.core.mask_key import MASK_KEY
from kit.core.postgres_address import PostgresAddress

SHORTEST = 6
"""Minimum length of a secret in characters; a shorter value would match ordinary text."""


_PERCENT = re.compile("%[0-9A-F]{2}")


@dataclass(frozen=True)
class Secrets:
    """The values of secrets by name. Code reads them from its environment; records of a run contain `[NAME]` instead.

    A value is recognised as it is, as URL, HTML, JSON, SQL or Python escape it, and in hexadecimal or Base64 text, also in the
    middle of one; the password of a database's address also by itself. A value that code derives in another way
    is not.
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
        """Return a text (or bytes in UTF-8), or nested lists and mappings of texts, with `[NAME]` in place of each secret."""
        if not self._names:
            return value
        if isinstance(value, bytes):
            return self._bytes_pattern.sub(lambda match: f"[{self._names[os.fsdecode(match[0])]}]".encode(), value)
        return each_text(value, lambda text: self._pattern.sub(lambda match: f"[{self._names[match[0]]}]", text))

    def found_in(self, value: Any) -> str | None:
        """Return the name of a secret that a value contains, or None."""
        match = self._pattern.search(str(value)) if self._names else None
        return self._names[match[0]] if match else None

    def replaced_in(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return an environment with `[NAME]` as value of each secret, and without the key for masking."""
        return {name: f"[{name}]" if name in self.values else value for name, value in environ.items() if name != MASK_KEY}

    def begun_at(self, text: bytes) -> int:
        """Return the position from which a text may be the beginning of a secret; its length when it cannot."""
        if not self._names:
            return len(text)
        begun = len(text) - max(self._begun(form, text) for form in self._encoded)
        ends = (match.end() for match in self._bytes_pattern.finditer(text) if match.start() < begun < match.end())
        return next(ends, begun)

    @staticmethod
    def _begun(form: bytes, text: bytes) -> int:
        """Return the length of the longest end of a text with which a form begins without being complete."""
        sizes = range(min(len(form) - 1, len(text)), 0, -1)
        return next((size for size in sizes if text.endswith(form[:size])), 0)

    @cached_property
    def _encoded(self) -> list[bytes]:
        return sorted(map(os.fsencode, self._names), key=len, reverse=True)

    @cached_property
    def _bytes_pattern(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(map(re.escape, self._encoded)))

    @cached_property
    def _names(self) -> dict[str, str]:
        """The name of each secret by every form of its value; each line of a value counts by itself."""
        return {
            form: name
            for name, value in self.values.items()
            for part in (value, *value.splitlines(), *PostgresAddress("", value).passwords)
            for form in _forms(part.strip())
            if len(part.strip()) >= SHORTEST
        }

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, sorted(self._names, key=len, reverse=True))))


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """Return a text changed, or nested lists and mappings with all their texts changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        items = (each_text(item, change) for item in value)
        return tuple(items) if isinstance(value, tuple) else list(items)
    if isinstance(value, dict):
        return type(value)({each_text(key, change): each_text(item, change) for key, item in value.items()})
    return value


def _forms(value: str) -> set[str]:
    raw, quoted = os.fsencode(value), json.dumps(value)[1:-1]
    escaped = {html.escape(value), quoted, json.dumps(quoted)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    escaped |= {repr(value)[1:-1], ascii(value)[1:-1], repr(raw)[2:-1], value.replace("'", "''")}
    urls = {quote(raw), quote(raw, safe=""), quote_plus(raw)}
    urls |= {_PERCENT.sub(lambda match: match[0].lower(), url) for url in urls}
    return {value, raw.hex(), raw.hex().upper(), *escaped, *urls, *_base64(raw)}


def _base64(raw: bytes) -> Iterator[str]:
    """Yield a value in Base64 at each place it can have there; the byte after it changes the last character."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        for end in (len(text), (before + len(raw)) * 8 // 6):
            part = text[-(-before * 8 // 6) : end]
            if len(part) >= SHORTEST:
                yield from (part, part.replace("+", "-").replace("/", "_"))
