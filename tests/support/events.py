"""A product whose source `events` is read by the connector of `tests.support.tap`, and published as it is."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.contracts import contract
from tests.support.files import write
from tests.support.products import descriptor, write_dbt_project
from tests.support.small_mesh import SmallMesh

COLUMNS = [
    ("id", "bigint", {"primaryKey": True}),
    ("seen", "bigint", {"required": True}),
    ("name", "varchar", {}),
]
TYPES = {name: kind for name, kind, _ in COLUMNS}


def install_tap(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the entry point of the connector, for this process and those it starts."""
    package = folder / "tap-1.0.dist-info"
    write(package / "METADATA", "Metadata-Version: 2.1\nName: tap\nVersion: 1.0\n")
    write(package / "entry_points.txt", "[kit.connectors]\ntap = tests.support.tap:Tap\n")
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{Path(__file__).parents[2]}")
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()


class Events:
    """The product `feed` of a small mesh, with the rows of its source."""

    def __init__(self, small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
        install_tap(small.root.parent / f"{small.root.name}-tap", monkeypatch)
        monkeypatch.chdir(small.root)
        self.small = small
        self.folder = small.domains / "feed"
        # A file of the domain that is no code of it: its name begins with a dot.
        self.file = self.folder / ".tap/events.json"
        write(self.folder / "product.odps.yaml", descriptor("feed", inputs=["raw.events"], outputs={"events": "dbt"}))
        self.declare()
        write(self.folder / "contracts/events.odcs.yaml", contract("feed.events", "events", COLUMNS))
        write_dbt_project(self.folder)
        write(self.folder / "models/sources.yml", "sources: [{name: raw, tables: [{name: events}]}]\n")
        write(self.folder / "models/events.sql", "select id, seen, name from {{ source('raw', 'events') }} order by id\n")
        self.function("return tap('.tap/events.json')")

    def declare(self, columns: list[Any] | None = None, **more: Any) -> None:
        """Write the contract of the source."""
        data = json.loads(contract("feed.raw.events", "events", columns or COLUMNS, **more))
        data["customProperties"] = [{"property": "maxRowLoss", "value": 1}]
        write(self.folder / "sources/events.odcs.yaml", json.dumps(data))

    def function(self, body: str, before: str = "") -> None:
        """Write `ingest.py`, whose function has this body; the working folder is that of the domain."""
        imports = "import os\nfrom pathlib import Path\nfrom kit.ingest import State\nfrom kit.ingest.connectors import tap\n"
        enter = "os.chdir(Path(__file__).parent)\n"
        write(self.folder / "ingest.py", f"{imports}{enter}{before}\n\ndef events():\n    {body}\n")

    def rows(self, *rows: tuple[int, int, str], **more: Any) -> None:
        """Write the rows of the source: id, cursor and name."""
        found = [{"id": number, "seen": seen, "name": name} for number, seen, name in rows]
        write(self.file, json.dumps({"rows": found, **more}))

    def build(self, **request: Any) -> str:
        """Build the product and return the status of the outcome."""
        outcome = self.small.build("feed", **request)
        assert not outcome.failed, outcome.message
        return outcome.status

    def problem(self, **request: Any) -> str:
        """Build the product and return the message of its failure."""
        outcome = self.small.build("feed", **request)
        assert outcome.failed
        return outcome.message

    @property
    def published(self) -> list[tuple[Any, ...]]:
        """The rows of the port."""
        import polars as pl

        return pl.read_parquet(self.small.store.current("feed").files("events")).rows()

    @property
    def source(self) -> dict[str, Any]:
        """The entry of the source in the manifest of the current snapshot."""
        return self.small.store.current("feed").manifest["sources"]["events"]

    @property
    def states(self) -> list[Any]:
        """The states that the reads so far were given."""
        return [json.loads(line) for line in self.file.with_suffix(".reads").read_text().splitlines()]
