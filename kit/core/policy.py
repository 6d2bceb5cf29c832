"""The rules of a mesh for every data product: `[tool.kit.policy]` of pyproject.toml."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from kit.core.errors import ConfigError

_TABLE = "pyproject.toml: [tool.kit.policy]"
_LEVELS = ("latency", "frequency", "retention")
_NAMES = {
    "port": r"[a-z0-9]+(_[a-z0-9]+)*",
    "key": r".+_id",
    "boolean": r"(is|has)_.+",
    "date": r".+_(date|on|from|to)",
    "timestamp": r".+_at",
}
"""Patterns for whole names: of ports, of keys that are bigint, of columns by type."""


@dataclass(frozen=True)
class Exemption:
    """The decision of a person to exempt something: why, and the day of the decision."""

    reason: str
    date: date


@dataclass(frozen=True)
class Policy:
    """The rules of a mesh; a mesh without the table has none.

    `described` is the minimum share of a port's columns with a description, from 0 to 1. `service_levels` are required in
    every contract. `names` are patterns by kind of name; other names are proposed to be changed. `other_names` gives the
    reason why ports `PRODUCT.PORT` and columns `PRODUCT.PORT.COLUMN`, with `*` for any text, keep theirs, `unmasked` the
    reason why personal columns are published without a mask, `lowered` reason and date of columns that are classified lower
    than what they are made from.
    """

    owner_email: bool = True
    described: float = 1.0
    classified: bool = True
    keys: bool = True
    service_levels: tuple[str, ...] = ("frequency",)
    names: Mapping[str, str] = field(default_factory=lambda: dict(_NAMES))
    other_names: Mapping[str, str] = field(default_factory=dict)
    unmasked: Mapping[str, str] = field(default_factory=dict)
    lowered: Mapping[str, "Exemption"] = field(default_factory=dict)

    @classmethod
    def from_settings(cls, table: Any) -> "Policy":
        """Return the policy of a table in pyproject.toml, with defaults; raises `ConfigError` with the setting and value."""
        if not isinstance(table, dict):
            raise ConfigError(f"{_TABLE} is {table!r}; it must be a table of settings")
        known = [item.name for item in fields(cls)]
        for name in table:
            if name not in known:
                raise ConfigError(f"{_TABLE} has no setting '{name}'; there are: {', '.join(known)}")
        return cls(**{name: _SETTINGS[name](name, value) for name, value in table.items()})

    def exemption(self, column: str) -> str | None:
        """Return the pattern that exempts the personal column `PRODUCT.PORT.COLUMN` from masking, or None."""
        return _matching(self.unmasked, column)

    def lowered_by(self, column: str) -> str | None:
        """Return the pattern that lets the column `PRODUCT.PORT.COLUMN` be classified lower than its origin, or None."""
        return _matching(self.lowered, column)

    def name_exemption(self, name: str) -> str | None:
        """Return the pattern that lets the port `PRODUCT.PORT` or the column `PRODUCT.PORT.COLUMN` keep its name, or None."""
        return _matching(self.other_names, name)


def _matching(patterns: Mapping[str, object], name: str) -> str | None:
    return next((pattern for pattern in patterns if fnmatchcase(name, pattern)), None)


def _switch(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise ConfigError(f"{_TABLE} {name} is {value!r}; it must be true or false")
    return value


def _share(name: str, value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise ConfigError(f"{_TABLE} {name} is {value!r}; it must be a share from 0 to 1")
    return float(value)


def _levels(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or any(level not in _LEVELS for level in value):
        raise ConfigError(f"{_TABLE} {name} is {value!r}; it must be a list of: {', '.join(_LEVELS)}")
    return tuple(value)


def _patterns(name: str, value: Any) -> dict[str, str]:
    patterns = _texts(name, value, "regular expressions")
    for kind, pattern in patterns.items():
        if kind not in _NAMES:
            raise ConfigError(f"{_TABLE} {name} has no '{kind}'; there are: {', '.join(_NAMES)}")
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"{_TABLE} {name}.{kind} is {pattern!r}, no regular expression: {error}") from None
    return _NAMES | patterns


def _reasons(name: str, value: Any) -> dict[str, str]:
    reasons = _texts(name, value, "reasons, each under PRODUCT.PORT.COLUMN or a pattern of it such as '*.household_id'")
    for pattern, reason in reasons.items():
        if not reason.strip():
            why = "may be read by everybody" if name == "unmasked" else "keeps its name"
            raise ConfigError(f"{_TABLE} {name} gives no reason for '{pattern}'; say why it {why}")
    return reasons


def _decisions(name: str, value: Any) -> dict[str, Exemption]:
    allowed = '"PRODUCT.PORT.COLUMN" = { reason = "why", date = 2026-01-31 }'
    if not isinstance(value, dict):
        raise ConfigError(f"{_TABLE} {name} is {value!r}; it must be a table of {allowed}")
    for pattern, item in value.items():
        given = item if isinstance(item, dict) else {}
        reason, day = given.get("reason"), given.get("date")
        if {*given} != {"reason", "date"} or not isinstance(reason, str) or not reason.strip() or type(day) is not date:
            raise ConfigError(f"{_TABLE} {name} has {item!r} for '{pattern}'; write {allowed}")
    return {pattern: Exemption(**item) for pattern, item in value.items()}


def _texts(name: str, value: Any, content: str) -> dict[str, str]:
    if not isinstance(value, dict) or any(not isinstance(text, str) for text in value.values()):
        raise ConfigError(f"{_TABLE} {name} is {value!r}; it must be a table of {content}")
    return value


_SETTINGS: dict[str, Callable[[str, Any], Any]] = {
    "owner_email": _switch,
    "described": _share,
    "classified": _switch,
    "keys": _switch,
    "service_levels": _levels,
    "names": _patterns,
    "other_names": _reasons,
    "unmasked": _reasons,
    "lowered": _decisions,
}
