"""The record of every build: what it did, what it found, where its executed notebooks and compiled SQL lie."""

import getpass
import shutil
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from kit.contracts import Check
from kit.core import InvalidFile, read_json, time_id, to_json, write_durably

RECORD = "record.json"


class BuildStatus(StrEnum):
    """How a build ended, as it is stored and printed.

    `UP_TO_DATE`: nothing has changed since the current snapshot. `HELD`: a rollback rejected the snapshot that the same code
    and inputs make.
    """

    PUBLISHED = "published"
    UP_TO_DATE = "up to date"
    HELD = "held"
    FAILED = "failed"


NOTHING_TO_DO = frozenset({BuildStatus.UP_TO_DATE, BuildStatus.HELD})
"""The statuses of builds that made nothing because nothing had to be made."""


@dataclass(frozen=True)
class Record:
    """One finished build of one product.

    `by` is the user it ran as; `git_commit` what the mesh was at, of a build that had something to do.
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

    @property
    def failed(self) -> bool:
        """Whether the build failed."""
        return self.status == BuildStatus.FAILED


def current_user() -> str:
    """The name of the user this process runs as, or nothing where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number without a name
        return ""


class Runs:
    """The run folders below one storage folder: `<storage>/runs/<product>/<run id>/`."""

    def __init__(self, storage: Path) -> None:
        self.root = storage / "runs"

    @staticmethod
    def new_id() -> str:
        """A run id that sorts by time."""
        return time_id(datetime.now(UTC))

    def folder(self, product: str, run_id: str) -> Path:
        """The folder of one build."""
        return self.root / product / run_id

    def save(self, record: Record) -> None:
        """Write a build's record. Of several in a row that found nothing to do only the last is kept."""
        last = self.last(record.product)
        folder = self.folder(record.product, record.run_id)
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(folder / RECORD, to_json(asdict(record)))
        if last and last.status == record.status and record.status in NOTHING_TO_DO:
            shutil.rmtree(self.folder(last.product, last.run_id), ignore_errors=True)

    def last(self, product: str, statuses: Collection[str] = ()) -> Record | None:
        """The newest finished build of a product (that ended in one of `statuses`), or None."""
        return next(self.history(product, statuses), None)

    def history(self, product: str, statuses: Collection[str] = ()) -> Iterator[Record]:
        """The finished builds of a product (that ended in one of `statuses`), newest first, each read when it is asked for."""
        for run_id in self.ids(product):
            try:
                data = read_json(self.folder(product, run_id) / RECORD)
            except InvalidFile:
                continue  # a build that was killed has no record
            if statuses and data["status"] not in statuses:
                continue
            times = {key: datetime.fromisoformat(data[key]) for key in ("started_at", "finished_at")}
            status, checks = BuildStatus(data["status"]), tuple(map(Check.from_json, data["checks"]))
            yield Record(**{**data, **times, "status": status, "checks": checks})

    def ids(self, product: str) -> list[str]:
        """The run ids of a product, newest first."""
        folder = self.root / product
        return sorted((path.name for path in folder.iterdir()), reverse=True) if folder.is_dir() else []

    def with_notebooks(self) -> dict[str, Path]:
        """The folder of the executed notebooks of each run that has any, by its id, newest first."""
        folders = (path for path in self.root.glob("*/*/notebooks") if any(path.glob("*.ipynb")))
        return {path.parent.name: path for path in sorted(folders, key=lambda path: path.parent.name, reverse=True)}

    def prune(self, product: str, keep: set[str], newest: int) -> int:
        """Remove the run folders of a product except the `newest` and those in `keep`; returns how many went."""
        gone = [run_id for run_id in self.ids(product)[newest:] if run_id not in keep]
        for run_id in gone:
            shutil.rmtree(self.folder(product, run_id), ignore_errors=True)
        return len(gone)
