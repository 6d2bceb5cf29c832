from kit.core import errors
from kit.core.errors import KitError, UnknownName


def test_every_error_is_a_kit_error() -> None:
    children = {value for value in vars(errors).values() if isinstance(value, type)} - {KitError}
    assert {child.__base__ for child in children} == {KitError}


def test_a_notebook_shows_an_error_as_one_line() -> None:
    assert UnknownName("there is no port 'x'")._render_traceback_() == ["UnknownName: there is no port 'x'"]
