"""The increment of a source, from the connector to the published snapshot."""

import json
import signal
import subprocess
import sys

import pytest

from kit.governance.repair import repair
from kit.governance.verification import Verification
from kit.mesh import Context
from kit.storage import prune
from tests.support.contracts import valid
from tests.support.events import COLUMNS, TYPES, Events
from tests.support.files import write
from tests.support.products import partition
from tests.support.small_mesh import SmallMesh

pytestmark = pytest.mark.slow

FIRST = [(1, 10, "a"), (2, 20, "b"), (3, 30, "c")]


@pytest.fixture
def events(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> Events:
    events = Events(small, monkeypatch)
    events.rows(*FIRST)
    return events


def test_an_increment_is_merged_by_the_key_and_the_state_moves_with_the_snapshot(events: Events) -> None:
    assert events.build() == "published"
    assert events.published == FIRST
    assert events.source["kind"] == "tap"
    assert events.source["increment"]["state"] == {"seen": 30}
    events.rows(*FIRST, (2, 40, "B"), (4, 40, "d"))
    assert events.build() == "published"
    assert events.published == [(1, 10, "a"), (2, 40, "B"), (3, 30, "c"), (4, 40, "d")]
    assert events.source["increment"]["state"] == {"seen": 40}
    assert events.source["increment"]["new_rows"] == 2
    assert events.states == [None, {"seen": 30}]


def test_boundary_rows_that_come_again_are_nothing_new_and_confirm_the_snapshot(events: Events) -> None:
    events.build()
    assert events.build() == "up to date"
    assert events.states == [None, {"seen": 30}]
    events.file.unlink()
    assert "FileNotFoundError" in events.problem()


def test_all_rows_again_are_the_same_data_as_their_increments(events: Events) -> None:
    events.build()
    events.rows(*FIRST, (0, 40, "z"))
    events.build()
    merged = events.source["digest"]
    assert events.build(full_refresh=True) == "up to date"
    assert events.states == [None, {"seen": 30}, None]
    assert events.source["digest"] == merged


def test_a_failed_audit_moves_no_state_and_loses_nothing(events: Events) -> None:
    events.declare([*COLUMNS[:2], ("name", "varchar", {"quality": [valid("a", "b", "c", "d")]})])
    events.build()
    events.rows(*FIRST, (4, 40, "bad"))
    assert "failed" in events.problem()
    events.rows(*FIRST, (4, 40, "d"), (5, 50, "a"))
    assert events.build() == "published"
    assert events.published == [*FIRST, (4, 40, "d"), (5, 50, "a")]
    assert events.states == [None, {"seen": 30}, {"seen": 30}]


def test_after_a_rollback_the_rows_since_then_are_read_again(events: Events) -> None:
    events.build()
    first = events.small.store.current("feed").version
    events.rows(*FIRST, (4, 40, "d"))
    events.build()
    events.small.store.rollback("feed", first)
    assert events.published == FIRST
    assert events.build() == "held"
    events.rows(*FIRST, (4, 40, "d"), (5, 50, "e"))
    assert events.build() == "published"
    assert events.published == [*FIRST, (4, 40, "d"), (5, 50, "e")]
    assert events.states == [None, {"seen": 30}, {"seen": 30}, {"seen": 30}]


def test_deleted_rows_leave_by_their_mark_or_when_all_rows_are_read_again(events: Events) -> None:
    columns = [*COLUMNS, ("gone", "boolean", {})]
    events.declare(columns)
    events.function("return tap('.tap/events.json', deleted='gone')")

    def rows(*found: tuple[int, int, str, bool]) -> None:
        names = ("id", "seen", "name", "gone")
        write(events.file, json.dumps({"rows": [dict(zip(names, row, strict=True)) for row in found]}))

    rows((1, 10, "a", False), (2, 20, "b", False), (3, 30, "c", False))
    events.build()
    rows((1, 10, "a", False), (2, 40, "b", True), (3, 30, "c", False), (9, 40, "x", True))
    assert events.build() == "published"
    assert events.published == [(1, 10, "a"), (3, 30, "c")]
    assert events.build() == "up to date"
    rows((2, 40, "b", True), (3, 30, "c", False))  # deleted without a mark
    assert events.build() == "up to date"
    assert events.build(full_refresh=True) == "published"
    assert events.published == [(3, 30, "c")]


def test_another_contract_key_or_declaration_reads_all_rows_again(events: Events) -> None:
    events.build()
    events.declare([COLUMNS[0], ("seen", "bigint", {"primaryKey": True, "primaryKeyPosition": 2}), COLUMNS[2]])
    events.build()
    events.function("return tap('../feed/.tap/events.json')")
    events.build()
    assert events.states == [None, None, None]
    events.build(force=True)
    assert events.states[3:] == [{"seen": 30}]


def test_raw_data_that_is_missing_or_damaged_is_read_again(events: Events) -> None:
    events.build()
    (path,) = (events.small.config.storage / "raw/feed/events").glob("*.parquet")
    for damage in (path.unlink, lambda: path.write_bytes(b"x")):
        damage()
        assert events.build() == "up to date"
        assert path.stat().st_size > 100
    assert events.states == [None, None, None]


def test_damaged_raw_data_is_made_again_from_the_last_whole_snapshot_and_loses_nothing(events: Events) -> None:
    events.build()
    first = events.source["digest"]
    events.rows(*FIRST, (4, 40, "d"))
    events.build()
    folder, second = events.small.config.storage / "raw/feed/events", events.source["digest"]
    (folder / f"{second}.parquet").unlink()
    (folder / f"{second}.sha256").unlink()
    verification = Verification(events.small.config)
    verification.product("feed")
    assert [finding.message for finding in verification.findings] == [
        "this raw data is missing, or has changed since it was landed"
    ]
    assert [finding.severity for finding in repair(Context(events.small.config))] == []
    events.rows((3, 30, "c"), (4, 40, "d"))  # the system itself forgets
    assert events.build() == "up to date"
    assert events.states == [None, {"seen": 30}, {"seen": 30}]
    (folder / f"{second}.parquet").write_bytes(b"x")
    events.rows((3, 30, "c"), (4, 40, "d"), (5, 50, "e"))
    assert events.build() == "published"
    assert events.published == [*FIRST, (4, 40, "d"), (5, 50, "e")]
    assert events.source["increment"]["state"] == {"seen": 50}
    verification = Verification(events.small.config)
    verification.product("feed")
    assert verification.findings == []
    for path in folder.glob("*.parquet"):
        path.write_bytes(b"x")
    assert first != second
    assert events.build() == "published"
    assert events.published == [(3, 30, "c"), (4, 40, "d"), (5, 50, "e")]
    assert events.states[3:] == [{"seen": 30}, None]


def test_a_cursor_without_a_key_is_refused_before_any_row_is_read(events: Events) -> None:
    events.declare([("id", "bigint", {}), *COLUMNS[1:]])
    assert events.problem() == (
        "feed.raw.events: with the cursor seen only new rows are read, and they replace older ones by the key, which the "
        "contract lacks; write primaryKey: true at the columns that identify a row, in domains/feed/sources/events.odcs.yaml"
    )
    assert not events.file.with_suffix(".reads").exists()
    events.function("return tap('.tap/events.json', cursor=None)")
    assert events.build() == "published"


def test_a_personal_cursor_is_refused_since_its_value_would_be_in_the_manifest(events: Events) -> None:
    events.declare([COLUMNS[0], ("seen", "bigint", {"required": True, "classification": "personal"}), COLUMNS[2]])
    assert events.problem() == (
        "feed.raw.events: the cursor seen is personal or masked, and its value would be in the manifest; choose another"
    )


@pytest.mark.parametrize(
    ("types", "difference"),
    [
        ({**TYPES, "phone": "varchar"}, "'phone' (varchar) is not in the contract"),
        ({"id": "bigint", "seen": "bigint"}, "'name' is missing"),
        ({**TYPES, "seen": "varchar"}, "'seen' is varchar, was bigint, and the contract says bigint"),
        ({**TYPES, "seen": "date"}, "'seen' is date, was bigint, and the contract says bigint"),
    ],
)
def test_a_source_that_has_changed_is_a_difference_of_its_contract(
    events: Events, types: dict[str, str], difference: str
) -> None:
    events.rows(*FIRST, types=TYPES)
    events.build()
    raw = sorted((events.small.config.storage / "raw").rglob("*"))
    events.rows(*FIRST, (4, 40, "d"), types=types)
    assert events.problem() == (
        f"feed.raw.events: its columns are not those of the contract, and nothing was read: {difference}; correct "
        "domains/feed/sources/events.odcs.yaml (`kit contract draft feed.raw.events --write` adds new columns)"
    )
    assert events.states == [None]
    assert sorted((events.small.config.storage / "raw").rglob("*")) == raw
    assert events.published == FIRST


def test_a_change_of_type_to_that_of_the_contract_is_none(events: Events) -> None:
    events.rows(*FIRST, types={**TYPES, "seen": "integer"})
    events.build()
    events.rows(*FIRST, types=TYPES)
    assert events.build() == "up to date"


def test_the_last_row_of_a_key_counts_by_its_cursor(events: Events) -> None:
    events.rows((1, 30, "new"), (1, 10, "old"), (2, 5, "x"), (2, 5, "y"))
    events.build()
    assert events.published == [(1, 30, "new"), (2, 5, "y")]


def test_a_read_that_fails_in_the_middle_begins_again(events: Events) -> None:
    events.rows(*FIRST, fail=["network"])
    assert events.build() == "published"
    assert events.published == FIRST
    events.rows(*FIRST, fail=["network"] * 3)
    outcome = events.small.build("feed")
    assert outcome.message == "feed.raw.events (tap events): ConnectionError: network in the middle"
    assert outcome.may_pass == "the network failed"
    events.rows(*FIRST, fail=["bug"])
    assert events.problem() == "feed.raw.events (tap events): ValueError: bug in the middle"


def test_the_raw_data_of_kept_snapshots_survives_pruning(events: Events) -> None:
    for number in range(4, 8):
        events.rows(*FIRST, (number, number * 10, "x"))
        events.build()
    prune(Context(events.small.config), 1)
    assert len(list((events.small.config.storage / "raw/feed/events").glob("*.parquet"))) == 1
    events.rows((9, 90, "y"))
    events.build()
    assert [number for number, *_ in events.published] == [1, 2, 3, 4, 5, 6, 7, 9]
    assert events.states[-1] == {"seen": 70}


def test_a_partitioned_product_builds_the_partitions_of_new_rows_only(events: Events) -> None:
    keys = ["a", "b", "c", "d"]
    partition(events.folder, "name", keys=keys, inputs={"raw.events": "name"})
    write(
        events.folder / "models/events.sql",
        "select id, seen, name from {{ source('raw', 'events') }} where name = '{{ var(\"partition\") }}' order by id\n",
    )
    assert events.build() == "published"
    events.rows(*FIRST, (4, 40, "b"))
    outcome = events.small.build("feed")
    assert outcome.partitions == ("b",)
    assert sorted(events.published) == [*FIRST, (4, 40, "b")]


def test_rows_set_aside_stay_in_the_raw_data_and_may_be_corrected_by_an_increment(events: Events) -> None:
    rule = {**valid("a", "b", "c"), "customProperties": [{"property": "onFailure", "value": "quarantine"}]}
    events.declare([*COLUMNS[:2], ("name", "varchar", {"quality": [rule]})])
    path = events.folder / "sources/events.odcs.yaml"
    data = json.loads(path.read_text())
    data["customProperties"].append({"property": "quarantineLimit", "value": 0.5})
    write(path, json.dumps(data))
    events.rows(*FIRST[:2], (3, 30, "bad"))
    events.build()
    assert events.published == FIRST[:2]
    assert events.source["quarantined"] == 1
    events.rows(*FIRST[:2], (3, 40, "c"))
    events.build()
    assert events.published == [*FIRST[:2], (3, 40, "c")]


def test_a_function_with_a_state_and_an_iterator_without_one(events: Events) -> None:
    events.function("return ({'id': n, 'seen': n, 'name': str(n)} for n in range(3))")
    events.build()
    assert events.published == [(0, 0, "0"), (1, 1, "1"), (2, 2, "2")]
    assert (events.source["kind"], "increment" in events.source) == ("python", False)
    body = (
        "since = (state or {'n': 0})['n']\n    for n in range(since, since + 2):\n"
        "        yield {'id': n, 'seen': n, 'name': 'x'}\n    yield State({'n': n})\n"
    )
    write(events.folder / "ingest.py", f"from kit.ingest import State\n\n\ndef events(state):\n    {body}")
    events.build()
    assert events.published == [(0, 0, "x"), (1, 1, "x")]
    events.build()
    assert events.published == [(0, 0, "x"), (1, 1, "x"), (2, 2, "x")]
    assert events.source["increment"]["state"] == {"n": 2}


def test_a_resource_of_dlt_is_an_iterator(events: Events) -> None:
    pytest.importorskip("dlt")
    code = (
        "import dlt\n\n\n@dlt.resource(primary_key='id')\ndef pages():\n"
        "    yield [{'id': 1, 'seen': 10, 'name': 'a'}]\n    yield {'id': 2, 'seen': 20, 'name': 'b'}\n\n\n"
        "def events():\n    return pages()\n"
    )
    write(events.folder / "ingest.py", code)
    assert events.build() == "published"
    assert events.published == FIRST[:2]


def test_a_module_of_an_extra_that_is_missing_is_named_with_what_to_install(events: Events) -> None:
    write(events.folder / "dlt.py", "raise ModuleNotFoundError(name='dlt')\n")
    write(events.folder / "ingest.py", "import dlt\n\n\ndef events():\n    return dlt\n")
    assert events.problem().endswith(
        "ingest.py: imports dlt, which is not installed; install it with `pip install 'data-mesh-kit[dlt]'`"
    )


KILLED = """
import os, sys, signal
from pathlib import Path
from kit.build.build import build
from kit.build.plan import BuildRequest
from kit.build.progress import Progress
from kit.core.config import Config
from kit.mesh.mesh import Mesh
root, step = Path(sys.argv[1]), sys.argv[2]
def stop(name):
    if name == step:
        os.kill(os.getpid(), signal.SIGKILL)
config = Config.load(root, {})
build(config, Mesh.load(config.domains).product("feed"), BuildRequest(), progress=Progress(step=stop))
"""


@pytest.mark.heavy
@pytest.mark.parametrize("step", ["ingest done", "audit done", "publish begun", "pointer locked", "pointer durable"])
def test_a_kill_between_read_and_publication_loses_and_doubles_nothing(events: Events, step: str) -> None:
    events.build()
    events.rows(*FIRST, (3, 40, "C"), (4, 40, "d"))
    done = subprocess.run([sys.executable, "-c", KILLED, str(events.small.root), step], cwd=events.small.root, check=False)
    assert done.returncode == -signal.SIGKILL
    merged = [*FIRST[:2], (3, 40, "C"), (4, 40, "d")]
    is_published = step == "pointer durable"
    assert events.published == (merged if is_published else FIRST)
    assert events.source["increment"]["state"] == {"seen": 40 if is_published else 30}
    assert events.build() == ("up to date" if is_published else "published")
    assert events.published == merged
    assert events.source["rows"] == 4
