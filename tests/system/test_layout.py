"""The layout of the tests: each module of the kit has a test module `tests/<package>/test_<module>.py`."""

from tests.conftest import ROOT

EXCEPTIONS = {
    "core/version": "a constant",
}
"""Modules without a test module of their own, with the reason or with the tests that cover them."""


def test_every_module_has_a_test_module() -> None:
    paths = [path for path in (ROOT / "kit").glob("*/*.py") if path.stem != "__init__"]
    modules = {f"{path.parent.name}/{path.stem}" for path in paths} - {"cli/__main__"}
    tested = {f"{path.parent.name}/{path.stem.removeprefix('test_')}" for path in (ROOT / "tests").glob("*/test_*.py")}
    assert len(modules) > 100
    assert sorted(modules - tested) == sorted(EXCEPTIONS)


def test_the_tests_that_an_exception_names_exist() -> None:
    named = [word.strip(",") for reason in EXCEPTIONS.values() for word in reason.split() if word.startswith("tests/")]
    assert [name for name in named if not (ROOT / name).is_file()] == []
