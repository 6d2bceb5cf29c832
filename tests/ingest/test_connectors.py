from pathlib import Path

import pytest

from tests.support.events import install_tap


def test_connectors_are_imported_by_the_names_of_their_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_tap(tmp_path / "tap", monkeypatch)
    from kit.ingest import connectors

    assert connectors.tap.kind == "tap"
    assert "tap" in dir(connectors)
    with pytest.raises(AttributeError, match=r"there is no connector 'sap'; there are: .*tap"):
        _ = connectors.sap
