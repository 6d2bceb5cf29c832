"""Prompts without secrets: known values, and lines that look as if they contained one."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from kit.core import find_secrets
from kit.language_models.answer import Question

_PRIVATE_KEY = re.compile(r"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----.*?(?:-----END \1PRIVATE KEY-----|\Z)", re.DOTALL)
_ALLOWED = re.compile(r"pragma: ?allowlist", re.IGNORECASE)
"""The comment by which an author excepts a line of a file. Whoever writes an issue must not except lines of a prompt."""


def without_secrets(question: Question, names: Iterable[str], scrub: Callable[[str], str]) -> Question:
    """Return a question as it may be sent.

    `scrub` takes out the values that this process knows. Of what remains, lines are left out that the rules for written
    secrets find; `names` are patterns for the names of secrets.
    """
    texts = ["\n".join(_PRIVATE_KEY.sub("[left out: a private key]", scrub(message["content"])).splitlines())
             for message in question.messages]  # fmt: skip
    searched = [_ALLOWED.sub("", text) for text in texts]
    sent = []
    for text, found in zip(texts, find_secrets(searched, names), strict=True):
        lines = text.split("\n")
        for item in found:
            lines[item.line - 1] = f"[left out: this line {item.kind}]"
        sent.append("\n".join(lines))
    messages = tuple({**message, "content": text} for message, text in zip(question.messages, sent, strict=True))
    return replace(question, messages=messages)
