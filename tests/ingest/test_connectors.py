from pathlib import Path

import pytest

from kit.core.errors import IngestError
from kit.ingest import connector
from tests.support.events import install_tap
from tests.support.files import write
from tests.support.small_mesh import SmallMesh


def test_connectors_are_imported_by_the_names_of_their_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_tap(tmp_path / "tap", monkeypatch)
    from kit.ingest import connectors

    assert connectors.tap.kind == "tap"
    assert "tap" in dir(connectors)
    with pytest.raises(AttributeError, match=r"there is no connector 'sap'; there are: .*tap"):
        _ = connectors.sap


def test_a_connector_that_an_older_environment_lacks_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from kit.ingest import connectors

    monkeypatch.setattr(connector, "missing_entry_points", lambda group: ["soap"] if group == connector.GROUP else [])
    problem = (
        "the connector 'soap' is not installed, because the environment is older than the files of the kit; run `make install`"
    )
    assert "soap" in dir(connectors)
    with pytest.raises(IngestError) as caught:
        exec("from kit.ingest.connectors import soap", {})
    assert str(caught.value) == problem


def test_a_connector_that_is_not_there_is_named_by_a_build(small: SmallMesh) -> None:
    write(small.domains / "shop/ingest.py", "from kit.ingest.connectors import sap\n\n\ndef sales():\n    return sap()\n")
    outcome = small.build("shop")
    assert outcome.message.partition(": ")[2].startswith("there is no connector 'sap'; there are: airbyte, postgres, rest")
