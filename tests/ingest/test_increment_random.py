"""Random increments, failures and rollbacks: what is landed is always what a read of all rows would land."""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.contracts import Contract
from kit.ingest.batches import BatchFiles
from kit.ingest.landing import LandedSource, land
from kit.ingest.process import Returned
from tests.conftest import examples
from tests.support.contracts import contract
from tests.support.files import write

pytestmark = pytest.mark.slow

Row = dict[str, Any]
COLUMNS = [("id", "bigint", {"primaryKey": True}), ("seen", "bigint", {}), ("name", "varchar", {}), ("gone", "boolean", {})]
SCHEMA = {"id": pl.Int64, "seen": pl.Int64, "name": pl.String, "gone": pl.Boolean}
KEYS = st.integers(0, 4)


class Origin:
    """A system whose rows have a clock: a table with one row for each key, or a log with all versions of each row."""

    def __init__(self, folder: Path, *, is_log: bool) -> None:
        self.folder, self.is_log, self.clock = folder, is_log, 1
        self.rows: list[Row] = []
        self.product = SimpleNamespace(name="feed", hidden_columns=(), folder=folder)

    def put(self, key: int, *, ticks: int, name: str, gone: bool, seen: bool) -> None:
        """Insert or change a row, at a clock that may be the one of the change before, or without any."""
        self.clock += ticks
        if not self.is_log:
            self.rows = [row for row in self.rows if row["id"] != key]
        self.rows.append({"id": key, "seen": self.clock if seen or self.is_log else None, "name": name, "gone": gone})

    @property
    def valid(self) -> list[Row]:
        """The rows that a read of all would land."""
        newest = {row["id"]: row for row in self.rows}
        return sorted((row for row in newest.values() if not row["gone"]), key=lambda row: int(row["id"]))

    def call(self, source: str, label: str, last: Mapping[str, Any] | None, check: Callable[[Any], None]) -> Returned:
        """Read the rows since the last state, as the process of an ingest.py does."""
        since = last["state"]["seen"] if last else -1
        clocks = [row["seen"] for row in self.rows if row["seen"] is not None]
        facts = {
            "kind": "tap", "cursor": "seen", "deleted": "gone", "reads_each_row_once": not self.is_log, "declared": "same",
            "stream": None, "is_increment": last is not None, "state": {"seen": max([since, *clocks])},
        }  # fmt: skip
        check(facts)
        files = BatchFiles(label, self.folder / "read")
        new = [row for row in self.rows if row["seen"] is None or row["seen"] >= since]
        for start in range(0, len(new), 2):
            files.add(
                pl.DataFrame(
                    new[start : start + 2], schema={"id": pl.Int64, "seen": pl.Int64, "name": pl.String, "gone": pl.Boolean}
                )
            )
        return Returned(tuple(map(str, files.close())), True, None, facts)


CHANGES = st.lists(
    st.fixed_dictionaries(
        {"key": KEYS, "ticks": st.integers(0, 2), "name": st.sampled_from("ab"), "gone": st.booleans(), "seen": st.booleans()}
    ),
    max_size=3,
)
STEPS = st.lists(
    st.tuples(CHANGES, st.sampled_from(["publish", "fail", "roll back", "lose the data", "damage the data", "read all"])),
    max_size=5,
)


@settings(max_examples=examples(8))
@given(is_log=st.booleans(), steps=STEPS)
def test_increments_land_what_a_read_of_all_rows_would(is_log: bool, steps: list[tuple[list[Row], str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _walk(Path(folder), steps, is_log=is_log)


def _walk(folder: Path, steps: list[tuple[list[Row], str]], *, is_log: bool) -> None:
    write(folder / "events.odcs.yaml", contract("feed.raw.events", "events", COLUMNS))
    source: Any = SimpleNamespace(name="events", contract=Contract.load(folder / "events.odcs.yaml"))
    origin: Any = Origin(folder, is_log=is_log)
    published: list[dict[str, Any]] = []
    for changes, step in steps:
        for change in changes:
            origin.put(**change)
        if step == "roll back" and len(published) > 1:
            published.pop()
        if step in ("lose the data", "damage the data") and published:
            for path in (folder / "raw").rglob("*.parquet"):
                path.unlink() if step == "lose the data" else path.write_bytes(b"PAR1")
        landed = land(origin, source, folder / "raw", () if step == "read all" else reversed(published))
        assert pl.read_parquet(landed.path).to_dicts() == origin.valid
        assert not list((folder / "raw").rglob(".*.parquet"))
        if step != "fail":
            published.append(_entry(landed))


def _entry(landed: LandedSource) -> dict[str, Any]:
    """The entry of a manifest, after its way through JSON."""
    entry = {"digest": landed.digest, "rows": landed.rows, "increment": landed.increment}
    return dict(json.loads(json.dumps(entry)))
