"""The help of commands."""

import pytest

from tests.support.small_mesh import SmallMesh


@pytest.mark.parametrize("command", [["run"], ["erase"], ["notebook", "diff"], ["source", "check"], []])
def test_flags_and_lists_have_no_types_of_python_in_help(command: list[str], small: SmallMesh) -> None:
    shown = small.kit(*command, "--help").stdout
    assert "--help" in shown
    assert [word for word in ("<bool>", "<list[", "<str>") if word in shown] == []
    assert command != ["erase"] or "TEXT" in shown
