import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from kit.core.entry_points import load_entry_point, missing_entry_points
from kit.core.errors import KitError
from tests.conftest import ROOT

GROUPS = ("kit.connectors", "kit.listeners")


def test_an_environment_lacks_what_was_declared_since_it_was_made(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    text = (ROOT / "pyproject.toml").read_text().replace('rest = "kit.', 'soap = "kit.ingest.soap:Soap"\nrest = "kit.')
    project.write_text(text)
    assert missing_entry_points("kit.connectors", project) == ["soap"]
    assert missing_entry_points("kit.listeners", project) == []
    assert missing_entry_points("kit.connectors", tmp_path / "none.toml") == []


def test_this_environment_has_all_of_them() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert all(declared[group] for group in GROUPS)
    assert [missing_entry_points(group) for group in GROUPS] == [[], []]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (
            "kit.ingest.soap:Soap",
            "cannot be imported (ModuleNotFoundError: No module named 'kit.ingest.soap'); "
            "the environment is older than the files of the kit; run `make install`",
        ),
        (
            "json:nothing",
            "cannot be imported (AttributeError: module 'json' has no attribute 'nothing'); install its package again",
        ),
    ],
)
def test_an_entry_point_that_cannot_be_imported_is_one_sentence(value: str, problem: str) -> None:
    with pytest.raises(KitError) as caught:
        load_entry_point(EntryPoint("x", value, "kit.connectors"))
    assert str(caught.value) == problem
