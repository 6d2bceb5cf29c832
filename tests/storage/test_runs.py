import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kit.contracts.check import Check
from kit.storage import runs as runs_module
from kit.storage.runs import RunRecord, Runs, current_user

CHECK = Check("sales", "item is required", "contract", False, "error", "1 of 30 rows", 1, ({"item": None},), "a note")


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def record(day: int, status: str = "published", **more: object) -> RunRecord:
    at = datetime(2024, 1, day, 8, tzinfo=UTC)
    return replace(RunRecord(f"run{day}", "shop", status, at, at), **more)  # type: ignore[arg-type]


def test_a_saved_record_is_read_as_it_was(runs: Runs) -> None:
    saved = record(
        1, version="v1", message="a\nb", steps={"land sales": 0.5}, checks=(CHECK,), parameters={"factor": 2.0},
        notebooks={"forecast": "runs/forecast.ipynb"}, by="ada", git_commit="0123",
    )  # fmt: skip
    runs.save(saved)
    assert runs.last("shop") == saved
    assert runs.folder("shop", "run1") == runs.root / "shop" / "run1"


def test_history_is_newest_first_and_filtered_by_status(runs: Runs) -> None:
    for day, status in enumerate(("published", "failed", "published", "up to date"), 1):
        runs.save(record(day, status))
    (runs.root / "shop/run9").mkdir()  # a trial
    assert [item.run_id for item in runs.history("shop")] == ["run4", "run3", "run2", "run1"]
    assert [item.run_id for item in runs.history("shop", ("failed", "published"))] == ["run3", "run2", "run1"]
    assert runs.ids("shop") == ["run9", "run4", "run3", "run2", "run1"]
    last = runs.last("shop", ("failed",))
    assert last is not None
    assert last.run_id == "run2"
    assert (runs.last("plan"), runs.ids("plan")) == (None, [])


@pytest.mark.parametrize("status", ["up to date", "held"])
def test_of_builds_in_a_row_without_work_only_the_last_is_kept(runs: Runs, status: str) -> None:
    runs.save(record(1))
    for day in (2, 3, 4):
        runs.save(record(day, status))
    assert runs.ids("shop") == ["run4", "run1"]
    runs.save(record(5, "failed"))
    runs.save(record(6, "failed"))
    assert runs.ids("shop") == ["run6", "run5", "run4", "run1"]


def test_a_build_that_was_killed_counts_as_canceled_once_it_is_over(runs: Runs) -> None:
    runs.save(record(1))
    with runs.running("shop", "run2") as mark:
        assert [item.run_id for item in runs.history("shop")] == ["run1"]  # it runs
        text = mark.read_bytes()
    assert runs.ids("shop") == ["run1"]  # nothing is left of a build without a record
    mark.parent.mkdir()
    assert [item.run_id for item in runs.history("shop")] == ["run1"]
    mark.write_bytes(text)  # left behind by a process that was killed
    killed = runs.last("shop")
    assert killed is not None
    assert (killed.run_id, killed.status, killed.message) == (
        "run2", "canceled", "its process ended before it published anything; readers keep the last snapshot"
    )  # fmt: skip
    assert runs.last("shop", ("published",)) == record(1)


def test_a_process_that_ends_while_it_waits_for_an_attempt_leaves_a_canceled_build(runs: Runs) -> None:
    runs.save(record(1, "failed"))
    over = runs.waiting("shop")
    assert [item.status for item in runs.history("shop")] == ["failed"]
    over()
    assert runs.ids("shop") == ["run1"]
    code = "import sys; from pathlib import Path; from kit.storage.runs import Runs; Runs(Path(sys.argv[1])).waiting('shop')"
    subprocess.run([sys.executable, "-c", code, str(runs.root.parent)], check=True)
    assert runs.last("shop", ("canceled",)) is not None


def test_prune_removes_all_but_the_newest_and_those_of_kept_snapshots(runs: Runs) -> None:
    for day in range(1, 6):
        runs.save(record(day, version=f"v{day}"))
    runs.prune("shop", {"v1"}, 2)
    assert runs.ids("shop") == ["run5", "run4", "run1"]
    runs.prune("shop", set(), 9)
    assert runs.ids("shop") == ["run5", "run4", "run1"]


def test_prune_keeps_the_last_run_of_each_status(runs: Runs) -> None:
    """The freshness of a product follows from its last good build, however many have failed since."""
    for day, status in enumerate(("up to date", "published", "published", "canceled", "failed", "failed"), 1):
        runs.save(record(day, status))
    (runs.root / "shop/run0").mkdir()  # a trial
    runs.prune("shop", set(), 1)
    assert [(item.run_id, item.status) for item in runs.history("shop")] == [
        ("run6", "failed"), ("run4", "canceled"), ("run3", "published"), ("run1", "up to date"),
    ]  # fmt: skip
    assert runs.ids("shop") == ["run6", "run4", "run3", "run1"]


def test_runs_with_executed_notebooks_newest_first(runs: Runs) -> None:
    for path in ("shop/run1/notebooks/a.ipynb", "plan/run3/notebooks/b.ipynb", "shop/run2/notebooks/c.txt"):
        (runs.root / path).parent.mkdir(parents=True)
        (runs.root / path).write_text("")
    assert list(runs.with_notebooks().items()) == [
        ("run3", runs.root / "plan/run3/notebooks"), ("run1", runs.root / "shop/run1/notebooks"),
    ]  # fmt: skip


def test_run_ids_sort_by_time() -> None:
    ids = [Runs.new_id() for _ in range(3)]
    assert ids == sorted(ids)


def test_a_user_without_a_name_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise OSError("no name for this user")

    monkeypatch.setattr(runs_module.getpass, "getuser", nameless)
    assert current_user() == ""
