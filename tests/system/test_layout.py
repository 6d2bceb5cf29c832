"""The layout of the tests: each module of the kit has a test module of its own."""

from tests.conftest import ROOT

WITHOUT_TESTS = {
    "core/version": "a constant",
    "cli/options": "declarations of options that the commands share",
    "dbt/plugin": "a hook without logic of its own; every build runs it",
}
"""Modules without a test module, with the reason."""


def test_every_module_has_a_test_module() -> None:
    modules = {
        f"{path.parent.name}/{path.stem}" for path in (ROOT / "kit").glob("*/*.py") if path.stem not in ("__init__", "__main__")
    }
    tested = {f"{path.parent.name}/{path.stem.removeprefix('test_')}" for path in (ROOT / "tests").glob("*/test_*.py")}
    assert len(modules) > 100
    assert sorted(modules - tested) == sorted(WITHOUT_TESTS)
