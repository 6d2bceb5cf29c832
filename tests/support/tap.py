"""A connector for tests: it reads rows from a JSON file in the domain folder, and is found by an entry point.

The file has `rows`, each with the cursor `seen`, `fail` (the names of errors of the next reads, which a read takes away) and
`types`, which its stream then describes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from kit.core.errors import IngestError
from kit.ingest.connector import Connector, Environment, State, Stream, StreamColumn


@dataclass
class Tap(Connector):
    file: str
    cursor: str | None = "seen"
    deleted: str | None = None
    packages: tuple[str, ...] = ()
    kind: ClassVar[str] = "tap"
    retry_seconds: ClassVar[tuple[float, ...]] = (0, 0)
    stream: ClassVar[str] = "events"

    def requires(self) -> Environment | None:
        return Environment("tap", self.packages) if self.packages else None

    def check(self) -> None:
        if not Path(self.file).is_file():
            raise IngestError("there is no such tap")

    def discover(self) -> Sequence[Stream]:
        columns = tuple(StreamColumn(name, kind) for name, kind in self._data().get("types", {}).items())
        return [Stream("events", columns, ("id",), ("seen",)), Stream("other", ())]

    def describe(self) -> Stream | None:
        return self.discover()[0] if "types" in self._data() else None

    def read(self, state: Mapping[str, Any] | None) -> Iterator[Any]:
        data = self._data()
        with Path(self.file).with_suffix(".reads").open("a") as log:
            log.write(json.dumps(state) + "\n")
        rows = [row for row in data["rows"] if state is None or row["seen"] >= state["seen"]]
        for start in range(0, len(rows), 2):
            yield rows[start : start + 2]
            if fail := data.get("fail"):
                first = fail.pop(0)
                Path(self.file).write_text(json.dumps(data))
                raise {"network": ConnectionError, "bug": ValueError}[first](f"{first} in the middle")
        if self.cursor and data["rows"]:
            yield State({"seen": max(row["seen"] for row in data["rows"])})

    def _data(self) -> dict[str, Any]:
        return json.loads(Path(self.file).read_text())
