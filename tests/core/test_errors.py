from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from kit.core import errors
from kit.core.errors import InvalidFile, KitError, UnknownName, is_failure


def test_every_error_is_a_kit_error() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type) and value.__module__ == errors.__name__]
    assert len(classes) > 10
    assert all(issubclass(value, KitError) for value in classes)


def test_a_notebook_shows_an_error_as_one_line() -> None:
    assert UnknownName("there is no port 'x'")._render_traceback_() == ["UnknownName: there is no port 'x'"]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ((), "wrong"),
        ((Path("/mesh/a.yaml"),), "/mesh/a.yaml: wrong"),
        ((Path("/mesh/a.yaml"), 3), "/mesh/a.yaml:3: wrong"),
        ((Path("/mesh/a.yaml"), 3, "b.1"), "/mesh/a.yaml:3: b.1: wrong"),
    ],
)
def test_the_text_of_an_error_starts_with_its_place(place: tuple[Path, int, str], text: str) -> None:
    assert str(InvalidFile("wrong", *place)) == text


class Stop(BaseException):
    """An error that an `except Exception` lets pass."""


def test_only_a_request_to_end_is_no_failure() -> None:
    panic = pl.exceptions.PanicException("a Rust library failed")
    assert all(map(is_failure, [KeyError("a"), MemoryError(), SystemExit(0), GeneratorExit(), Stop(), panic]))
    assert not any(map(is_failure, [KeyboardInterrupt(), dg.DagsterExecutionInterruptedError()]))
