"""Questions at a terminal, repeated until the answer is valid."""

import sys
from collections.abc import Callable
from typing import TypeVar

import typer

from kit.core import KitError

Answer = TypeVar("Answer")


def is_interactive() -> bool:
    """Return whether standard input is a terminal."""
    return sys.stdin.isatty()


def ask(question: str, problem: str, parse: Callable[[str], Answer], default: str | None = None) -> Answer:
    """Return the answer as `parse` converts it; while that raises a `KitError`, print it and ask again.

    Without a terminal the default is the answer; raises `KitError` with the text `problem` when there is none.
    """

    def parse_or_ask_again(text: str) -> Answer:
        try:
            return parse(text)
        except KitError as error:
            raise typer.BadParameter(str(error)) from None

    if is_interactive():
        answer: Answer = typer.prompt(question, default, show_default=bool(default), value_proc=parse_or_ask_again)
        return answer
    if default is None:
        raise KitError(problem)
    return parse(default)
