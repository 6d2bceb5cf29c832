import tomllib
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from kit.core.entry_points import load_entry_point, missing_entry_points, points_of
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


def test_the_environment_is_searched_again_only_after_a_package_was_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    searched: list[str] = []
    search = metadata.entry_points
    monkeypatch.setattr(metadata, "entry_points", lambda group: searched.append(group) or search(group=group))
    assert not {point.name for _ in range(3) for point in points_of(GROUPS[0])} & {"soap"}
    assert searched == [GROUPS[0]]
    (tmp_path / "soap-1.dist-info").mkdir()
    (tmp_path / "soap-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: soap\nVersion: 1\n")
    (tmp_path / "soap-1.dist-info" / "entry_points.txt").write_text(f"[{GROUPS[0]}]\nsoap = soap:Soap\n")
    assert "soap" in {point.name for point in points_of(GROUPS[0])}


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
