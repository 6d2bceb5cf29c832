"""Questions to the person at the terminal; an answer that cannot be used is asked for again."""

import sys
from collections.abc import Callable
from typing import TypeVar

import typer

from kit.core import KitError

Answer = TypeVar("Answer")


def is_interactive() -> bool:
    """Whether there is a person who can be asked."""
    return sys.stdin.isatty()


def ask(question: str, otherwise: str, understand: Callable[[str], Answer], default: str | None = None) -> Answer:
    """What the person says, as `understand` takes it; what it raises as `KitError` is told, and the question put again.

    Without a terminal the default is the answer; raises `KitError` with the text `otherwise` when there is none.
    """

    def understood(text: str) -> Answer:
        try:
            return understand(text)
        except KitError as error:
            raise typer.BadParameter(str(error)) from None

    if is_interactive():
        answer: Answer = typer.prompt(question, default, show_default=bool(default), value_proc=understood)
        return answer
    if default is None:
        raise KitError(otherwise)
    return understand(default)
