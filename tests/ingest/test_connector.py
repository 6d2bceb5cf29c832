import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest

from kit.core.errors import IngestError, UnknownName
from kit.ingest.connector import Connector, Environment, Origin, State, Stream, StreamColumn, connector_class


@dataclass
class Pipe(Connector):
    table: str
    rows: int = 1
    kind: ClassVar[str] = "pipe"

    def read(self, state: Any) -> Iterator[Any]:
        yield from ()


def test_the_digest_depends_on_what_was_declared_only() -> None:
    changed = Pipe("a")
    changed.environment = None
    assert Pipe("a").digest() == changed.digest()
    assert len({Pipe("a").digest(), Pipe("b").digest(), Pipe("a", 2).digest()}) == 3


def test_a_class_that_is_no_dataclass_has_to_say_what_it_declares() -> None:
    with pytest.raises(NotImplementedError, match=r"Connector has no method declared\(\)"):
        Connector().digest()


@pytest.mark.parametrize("package", ["source-faker", "source-faker>=7", "x==1; y", "--pre", "x @ https://x.org/x", "x==1.*"])
def test_packages_of_an_environment_have_exact_versions(package: str) -> None:
    assert Environment("tap", ("source-faker==7.2.1", "x[y]==1.0+z")).name == "tap"
    with pytest.raises(IngestError, match=r"is no exact version of a package; write one such as source-faker==7.2.1"):
        Environment("tap", (package,))


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", ".a"])
def test_the_name_of_an_environment_is_that_of_one_folder(name: str) -> None:
    with pytest.raises(IngestError, match="cannot name the environment of a connector"):
        Environment(name, ())


def test_an_unknown_kind_is_refused_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("pipe", "tests.ingest.test_connector:Pipe", "kit.connectors")]
    points.append(EntryPoint("none", "json:dumps", "kit.connectors"))
    monkeypatch.setattr("kit.ingest.connector.points_of", lambda group: points)
    assert connector_class("pipe").__name__ == "Pipe"
    with pytest.raises(UnknownName, match="there is no connector 'sap'; there are: none, pipe"):
        connector_class("sap")
    with pytest.raises(IngestError, match=r"the entry point 'none' of kit.connectors is json:dumps, which is no Connector"):
        connector_class("none")


def test_a_stream_has_the_types_of_its_columns() -> None:
    described = Stream("a", (), origins=(Origin("file", "/data/a.csv", {"x": "bigint"}),))
    assert Stream.from_json(json.loads(json.dumps(described.to_json()))) == described
    assert Stream("a", (StreamColumn("x", "bigint"), StreamColumn("y", "", problem="is a point"))).types == {
        "x": "bigint",
        "y": "",
    }


def test_a_connector_that_cannot_be_drafted_says_so() -> None:
    with pytest.raises(IngestError, match="'pipe' connectors cannot be made from 'x'; write the function"):
        Pipe.declare("x", "events", Path())


def test_the_example_of_the_reference_reads_increments(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "domains/README.md").read_text()
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "class JsonLines" in block]
    names: dict[str, Any] = {"__name__": "json_lines"}
    exec(example, names)
    (tmp_path / "visits.jsonl").write_text('{"id": 1, "name": "a"}\n{"id": 2, "name": null}\n')
    connector = names["JsonLines"]("visits.jsonl")
    connector.folder = tmp_path
    connector.check()
    assert [stream.types for stream in connector.discover()] == [{"id": "bigint", "name": "varchar"}]
    assert list(connector.read(None)) == [[{"id": 1, "name": "a"}, {"id": 2, "name": None}], State({"id": 2})]
    assert list(connector.read({"id": 1})) == [[{"id": 2, "name": None}], State({"id": 2})]
