"""`kit verify`: what a storage holds, compared with what was recorded when it was published."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from kit.contracts import Finding
from kit.core import Config, KitError, exists, has_sum, sqlite_damage
from kit.mesh import RAW
from kit.storage import CATALOG, Runs, Snapshot, Store, catalog_version, index

REPAIR = "run `kit doctor --fix`"


@dataclass
class Verification:
    """The findings about a storage, and how many files were compared with their checksums.

    `until` is the end of the time for it, on the monotonic clock: from then on only sizes are compared. None without one.
    """

    config: Config
    until: float | None = None
    files: int = 0
    findings: list[Finding] = field(default_factory=list)

    def product(self, name: str, *, every: bool = False) -> None:
        """Compare the current snapshot of a product, or `every` one, its raw data, catalogs and run records."""
        store = Store(self.config.storage)
        try:
            versions, snapshot = store.versions(name), store.current(name)
        except KitError as error:
            versions, snapshot = store.versions(name), None
            self._add(name, error)
        if snapshot:
            self._files(snapshot)
            self._raw(snapshot)
            if catalog_version(store, name) != snapshot.version:
                self._add(name, "is not the catalog of the current snapshot", REPAIR, store.folder(name) / CATALOG)
        for version in versions if every else ():
            if snapshot is None or version != snapshot.version:
                try:
                    self._files(store.snapshot(name, version))
                except KitError as error:
                    self._add(name, error)
        if every:
            for path in sorted(store.folder(name).glob("[!.]*")):
                if path.is_dir() and path.name not in versions:
                    self._add(name, "is a snapshot without a manifest", "bring it back from a copy, or delete the folder", path)
        for run_id, damage in Runs(self.config.storage).damaged(name, None if every else 1).items():
            self._add(name, f"the record of run {run_id} is damaged: {damage}", REPAIR)

    def storage(self) -> None:
        """Look at the files of the whole storage: the index and the databases of Dagster."""
        if error := index.damage(self.config):
            self._add("index", error, REPAIR)
        try:
            for path, problem in dagster_damage(self.config).items():
                self._add("Dagster", f"its history {problem}; builds fail until it is set aside", REPAIR, path)
        except KitError as error:
            self._add("Dagster", error)

    def _files(self, snapshot: Snapshot) -> None:
        for port, entry in snapshot.manifest["ports"].items():
            sums = self._in_time()
            self.files += len(entry["files"]) if sums else 0
            try:
                if problem := snapshot.damage(port, sums=sums):
                    self._add(snapshot.product, f"snapshot {snapshot.version} is damaged: {problem}", _cure(snapshot.product))
            except KitError as error:
                self._add(snapshot.product, error)
            strange = {path.name for path in (snapshot.folder / port).glob("*.parquet")} - set(entry["files"])
            for name in sorted(strange):
                path = snapshot.folder / port / name
                self._add(snapshot.product, "was not published, and tools that read the folder read it", "delete it", path)

    def _raw(self, snapshot: Snapshot) -> None:
        for name, source in snapshot.manifest.get("sources", {}).items():
            path = self.config.storage / RAW / snapshot.product / name / f"{source['digest']}.parquet"
            # Raw data that an earlier kit landed has no checksum; the next build lands it again.
            if (path.with_suffix(".sha256").exists() or not path.exists()) and self._in_time():
                self.files += 1
                if not has_sum(path):
                    problem = "this raw data is missing, or has changed since it was landed"
                    self._add(snapshot.product, problem, f"`kit run {snapshot.product}` lands it again", path)

    def _in_time(self) -> bool:
        return self.until is None or time.monotonic() < self.until

    def _add(self, product: str, problem: KitError | str, fix: str = "", path: Path | None = None) -> None:
        error = problem if isinstance(problem, KitError) else KitError(problem, path)
        finding = Finding.from_error(product, error, fix)
        if finding not in self.findings:
            self.findings.append(finding)


def dagster_damage(config: Config) -> dict[Path, str]:
    """Return what is wrong with each damaged database of Dagster; empty when it has others, or none yet."""
    history, schedules = config.dagster_home / "history", config.dagster_home / "schedules"
    tables = {history / "runs.db": "runs", schedules / "schedules.db": "jobs"}
    tables |= dict.fromkeys((history / "runs").glob("*.db"), "event_logs")
    return {path: problem for path, table in tables.items() if exists(path) and (problem := sqlite_damage(path, table))}


def _cure(product: str) -> str:
    return f"build again with `kit run {product} --force`, or roll back with `kit rollback {product} VERSION`"
