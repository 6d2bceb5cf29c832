"""Runs: one folder per build, with its record, executed notebooks and compiled SQL."""

import fcntl
import getpass
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from kit.contracts import Check
from kit.core import InvalidFile, exists, lock, read_record, time_id, to_json, write_durably

RECORD = "record.json"
_RUNNING = "running"
_ENDED = "its process ended before it published anything; readers keep the last snapshot"


class BuildStatus(StrEnum):
    """How a build ended, as it is stored and printed.

    `UP_TO_DATE`: nothing has changed since the current snapshot. `HELD`: a rollback rejected the snapshot that the same code
    and inputs make. `CANCELED`: a person, or the end of the process, stopped the build before it published anything.
    """

    PUBLISHED = "published"
    UP_TO_DATE = "up to date"
    HELD = "held"
    FAILED = "failed"
    CANCELED = "canceled"


NOTHING_TO_DO = frozenset({BuildStatus.UP_TO_DATE, BuildStatus.HELD})
"""The statuses of builds that made nothing because nothing had to be made."""


@dataclass(frozen=True)
class RunRecord:
    """One finished build of one product.

    `steps` are seconds by name. `by` is the user it ran as. `git_commit` is the commit of the mesh, None for a build that had
    nothing to do. `delivered` are the times (UTC, ISO) when the data of each source was delivered, as far as they are known.
    `dagster_run` is the id of the Dagster run that made it, empty without one. `models` has for each language model that was
    asked how often it answered, how many answers were known already, and what that used and cost.
    """

    run_id: str
    product: str
    status: BuildStatus
    started_at: datetime
    finished_at: datetime
    version: str | None = None
    message: str = ""
    steps: dict[str, float] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    notebooks: dict[str, str] = field(default_factory=dict)
    by: str = ""
    git_commit: str | None = None
    delivered: dict[str, str] = field(default_factory=dict)
    dagster_run: str = ""
    models: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether the build failed."""
        return self.status == BuildStatus.FAILED


def current_user() -> str:
    """Return the name of the user this process runs as; empty when the system has no name for it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run under a user number without a name
        return ""


class Runs:
    """The run folders below one storage folder: `<storage>/runs/<product>/<run id>/`."""

    def __init__(self, storage: Path) -> None:
        self.root = storage / "runs"

    @staticmethod
    def new_id() -> str:
        """Return a run id; run ids sort by time."""
        return time_id(datetime.now(UTC))

    def folder(self, product: str, run_id: str) -> Path:
        """Return the folder of one run."""
        return self.root / product / run_id

    def is_running(self, product: str, run_id: str) -> bool:
        """Return whether the process of a build lives and has not published yet."""
        try:
            with (self.folder(product, run_id) / _RUNNING).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    @contextmanager
    def running(self, product: str, run_id: str) -> Iterator[Path]:
        """Mark a build as running until the block ends, or the yielded file is deleted. A folder without a record is removed.

        The file is locked so long as this process lives: a file that nobody locks is that of a killed build.
        """
        mark = self.folder(product, run_id) / _RUNNING
        with lock(mark, wait=True):
            try:
                yield mark
            finally:
                mark.unlink(missing_ok=True)
                with suppress(OSError):
                    mark.parent.rmdir()

    def waiting(self, product: str) -> Callable[[], None]:
        """Mark a build as one that waits for its next attempt, until the returned function is called.

        If this process ends before, however it ends, the build counts as canceled, not as failed by its last attempt.
        """
        mark = self.folder(product, self.new_id()) / _RUNNING
        mark.parent.mkdir(parents=True)
        descriptor = os.open(mark, os.O_RDWR | os.O_CREAT, 0o644)  # bare: only the end of the process closes it otherwise
        fcntl.flock(descriptor, fcntl.LOCK_EX)

        def over() -> None:
            shutil.rmtree(mark.parent, ignore_errors=True)
            os.close(descriptor)

        return over

    def save(self, record: RunRecord) -> None:
        """Write the record of a build; of consecutive builds that had nothing to do, only the last record is kept."""
        previous = self.last(record.product)
        folder = self.folder(record.product, record.run_id)
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(folder / RECORD, to_json(asdict(record)))
        if previous and previous.status == record.status and record.status in NOTHING_TO_DO:
            shutil.rmtree(self.folder(previous.product, previous.run_id), ignore_errors=True)

    def last(self, product: str, statuses: Collection[str] = ()) -> RunRecord | None:
        """Return the newest finished build of a product (with one of `statuses`), or None."""
        return next(self.history(product, statuses), None)

    def history(self, product: str, statuses: Collection[str] = ()) -> Iterator[RunRecord]:
        """Yield the finished builds of a product (with one of `statuses`), newest first; each record is read when yielded.

        A build that was killed has no record: one is made up for it. A damaged record is left out; `damaged` names it.
        """
        for run_id in self.ids(product):
            record = None
            with suppress(InvalidFile):
                record = self._record(product, run_id) or self._killed(product, run_id)
            if record and (not statuses or record.status in statuses):
                yield record

    def damaged(self, product: str, newest: int | None = None) -> dict[str, InvalidFile]:
        """Return the errors of the records (of the `newest` runs) that cannot be read, by run id."""
        errors = {}
        for run_id in self.ids(product)[:newest]:
            try:
                self._record(product, run_id)
            except InvalidFile as error:
                errors[run_id] = error
        return errors

    def _record(self, product: str, run_id: str) -> RunRecord | None:
        """Return the record of a run; None without one. Raises `InvalidFile`."""

        def parse(data: dict[str, Any]) -> RunRecord:
            if (data["product"], data["run_id"]) != (product, run_id):
                raise InvalidFile(f"is that of run {data['run_id']} of '{data['product']}'", path)
            times = {key: datetime.fromisoformat(data[key]) for key in ("started_at", "finished_at")}
            status, checks = BuildStatus(data["status"]), tuple(map(Check.from_json, data["checks"]))
            known = {item.name: data[item.name] for item in fields(RunRecord) if item.name in data}  # a newer kit notes more
            return RunRecord(**{**known, **times, "status": status, "checks": checks})

        path = self.folder(product, run_id) / RECORD
        return read_record(path, parse) if exists(path) else None

    def _killed(self, product: str, run_id: str) -> RunRecord | None:
        """Return the record of a build that was killed; None for a folder of anything else, and while the build runs."""
        mark = self.folder(product, run_id) / _RUNNING
        try:
            with mark.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                begun = datetime.fromtimestamp(mark.stat().st_mtime, UTC)
        except OSError:
            return None
        return RunRecord(run_id, product, BuildStatus.CANCELED, begun, begun, message=_ENDED)

    def ids(self, product: str) -> list[str]:
        """Return the run ids of a product, newest first."""
        try:
            return sorted((path.name for path in (self.root / product).iterdir()), reverse=True)
        except OSError:  # there is none, or it cannot be read
            return []

    def with_notebooks(self) -> dict[str, Path]:
        """Return the folders of executed notebooks by run id, newest first; runs without executed notebooks are left out."""
        folders = (path for path in self.root.glob("*/*/notebooks") if any(path.glob("*.ipynb")))
        return {path.parent.name: path for path in sorted(folders, key=lambda path: path.parent.name, reverse=True)}

    def prune(self, product: str, versions: Collection[str], newest: int, *, dry_run: bool = False) -> int:
        """Remove the run folders of a product except the `newest`, those that published one of `versions`, and the last
        one of each status, from which `kit status` and the freshness follow. Returns how many were removed.
        """
        removed = 0
        for run_id in self.ids(product)[newest:]:
            record = None
            with suppress(InvalidFile):
                record = self._record(product, run_id) or self._killed(product, run_id)
            if record:
                last = self.last(product, (record.status,))
                published = record.status == BuildStatus.PUBLISHED and record.version in versions
                if published or (last and last.run_id == run_id):
                    continue
            removed += 1
            if not dry_run:
                shutil.rmtree(self.folder(product, run_id), ignore_errors=True)
        return removed

    def empty_killed(self, product: str) -> None:
        """Remove all that killed builds left in their folders, except the mark by which `history` knows them."""
        for run_id in self.ids(product):
            folder = self.folder(product, run_id)
            if not exists(folder / RECORD) and self._killed(product, run_id):
                for path in folder.iterdir():
                    if path.name != _RUNNING:
                        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
