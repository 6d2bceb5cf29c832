"""Secrets that somebody wrote into a file: found by the rules of detect-secrets and by the names of secrets in the settings."""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from kit.core.secrets import SHORTEST

_ALLOWED = re.compile(r"pragma: ?allowlist secret")
_NAMED = re.compile(
    r"""(?P<name>[A-Za-z_]\w*)["']?\]?\s*(?::\s*[\w.]+\s*)?[:=]\s*"""
    rf"""[rbu]{{0,2}}(?P<quote>["'])(?P<value>[^"'\s]{{{SHORTEST},}})(?P=quote)"""
)
_NO_VALUE = re.compile(r"[A-Z_]+|[A-Z][A-Z0-9_]*_[A-Z0-9_]*|\[\w+\]|<.*>|\$?\{.*\}|\*+|\.+|[xX]+")
"""Names of variables, and placeholders."""
_BY_WORDS = {"Secret Keyword", "Basic Auth Credentials"}  # which find placeholders, too
_TOO_VAGUE = {"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"}  # they find digests, ids and addresses
_FILTERS = (
    "allowlist.is_line_allowlisted", "heuristic.is_likely_id_string",
    "heuristic.is_not_alphanumeric_string", "heuristic.is_potential_uuid", "heuristic.is_prefixed_with_dollar_sign",
    "heuristic.is_sequential_string", "heuristic.is_templated_secret",
)  # fmt: skip


class SecretText(NamedTuple):
    """A secret in a text: its `line`, which counts from 1, and the `kind` of secret it looks like."""

    line: int
    kind: str


def find_secrets(texts: Iterable[str], names: Iterable[str]) -> Iterator[list[SecretText]]:
    """Yield for each text its lines that hold a secret.

    `names` are patterns for names of secrets, as `*_TOKEN`: a text that is assigned to such a name, in upper or lower case,
    is one. No secret is sent anywhere to try it. A line with the comment `pragma: allowlist secret` holds none.
    """
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import get_plugins, transient_settings

    patterns = tuple(names)
    plugins = sorted(kind.__name__ for kind in get_mapping_from_secret_type_to_class().values())
    settings = {
        "plugins_used": [{"name": name} for name in plugins if name not in _TOO_VAGUE],
        "filters_used": [{"path": f"detect_secrets.filters.{name}"} for name in _FILTERS],  # none of them asks a server
    }
    with TemporaryDirectory(prefix="kit-") as folder, transient_settings(settings):
        path = Path(folder, "text")
        rules = get_plugins()
        for text in texts:
            found: dict[int, SecretText] = {}
            if any(True for rule in rules for _ in rule.analyze_string(text)):  # line by line it takes a hundred times as long
                path.write_text(text, encoding="utf-8")
                for item in scan_file(str(path)):
                    if item.type not in _BY_WORDS or not _NO_VALUE.fullmatch(item.secret_value or ""):
                        found[item.line_number] = SecretText(item.line_number, f"looks like {_article(item.type)} {item.type}")
            found |= {item.line: item for item in _by_name(text, patterns)}
            yield [found[line] for line in sorted(found)]


def _by_name(text: str, patterns: tuple[str, ...]) -> Iterator[SecretText]:
    for number, line in enumerate(text.splitlines(), 1):
        for match in () if _ALLOWED.search(line) else _NAMED.finditer(line):
            name = f"_{match['name'].upper()}"
            if any(fnmatchcase(name, f"*{pattern}") for pattern in patterns) and not _NO_VALUE.fullmatch(match["value"]):
                yield SecretText(number, f"gives {match['name']} its value")


def _article(words: str) -> str:
    return "an" if words[0] in "AEIOU" else "a"
