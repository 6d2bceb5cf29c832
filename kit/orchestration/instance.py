"""Dagster's home below the storage folder: created by one process, and cleared of runs of killed processes."""

import fcntl
import json
import logging
import os
import re
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core import (
    Config,
    InvalidFile,
    KitError,
    exists,
    lock,
    machine_problem,
    make_folder,
    read_yaml,
    remove_unfinished,
    resources,
    short,
    write_durably,
)  # fmt: skip

if TYPE_CHECKING:
    import dagster as dg

_EVENT_LOG = "module: kit.orchestration.event_log,"
_OLD_EVENT_LOG = "module: kit.event_log,"  # in homes created before the kit had packages
_HOME = re.compile(r"# Paths in this folder follow it: (.*)\n")
_BASE_DIR = re.compile(r'base_dir: ("(?:[^"\\]|\\.)*"|[^"}\n]+)')
_ARTIFACTS = re.compile(f"^local_artifact_storage: .*{_BASE_DIR.pattern}", re.MULTILINE)  # of homes without that comment

LOCATION = "mesh"
"""Name of the code location of the mesh."""

WEB_ROOT = "/dagster"
"""Path of the web UI on its server, the same when another server proxies it."""

NOTEBOOK_PAGE = f"{WEB_ROOT}/notebook"
"""Path of the page that shows an executed notebook."""

_RUNS = re.compile(r"max_concurrent_runs: (?:\d+\}  # as the setting parallel_builds|4\})$", re.MULTILINE)
"""The line of Dagster's settings that follows the setting `parallel_builds`; one without this comment is the team's."""

ENDED = "The process that ran this has ended; readers keep the snapshots they had."
"""The reason of the end of a run whose process was killed."""

_STARTING = timedelta(seconds=40)
_LOCKS = "alive"
_IN_PROGRESS = b"a step is in progress"


def home(config: Config) -> Path:
    """Return the folder of Dagster's configuration and history."""
    return config.dagster_home


@contextmanager
def instance(config: Config, *, tended: bool = True) -> "Iterator[dg.DagsterInstance]":
    """Open Dagster's instance after creating its home; unless not `tended`, end runs of dead processes, delete old ones."""
    from kit.orchestration import dagster_internals

    logging.getLogger("alembic").setLevel(logging.WARNING)
    folder = home(config)
    # Several processes that open a new home at the same time leave its databases broken for good.
    with lock(folder / ".lock", wait=True):
        remove_unfinished(folder)
        settings = folder / "dagster.yaml"
        if not exists(settings):
            # Written once: from then on the platform team edits it, for instance to use PostgreSQL or another run launcher.
            write_durably(settings, _placed(dagster_internals.SETTINGS, Path(), folder))
        with usable(config):
            text = settings.read_text(encoding="utf-8")
            now = _moved(text.replace(_OLD_EVENT_LOG, _EVENT_LOG), folder)
            at_once = resources.builds_at_once(config.parallel_builds)
            if not re.search("^run_launcher:", now, re.MULTILINE):  # a home of an earlier kit
                now = f"{now.rstrip()}\n{dagster_internals.LAUNCHER}"
            now = _RUNS.sub(f"max_concurrent_runs: {at_once}}}  # as the setting parallel_builds", now)
            if now != text:
                write_durably(settings, now)
            opened = dagster_internals.open_instance(folder)
    with opened:
        if tended:
            with usable(config):
                tend(config, opened)
        yield opened


@contextmanager
def usable(config: Config) -> Iterator[None]:
    """Turn the errors of Dagster's settings and databases in the block into a `KitError` that says what to do."""
    settings = home(config) / "dagster.yaml"
    try:
        if not read_yaml(settings).data:  # with other settings than its own Dagster reports to its makers
            raise InvalidFile("has no settings of Dagster", settings)
        yield
    except InvalidFile as error:
        raise KitError(f"{error}; correct it, or set it aside with `kit doctor --fix`") from None
    except KitError:
        raise
    except Exception as error:
        reason = machine_problem(error)
        if not reason and type(error).__name__ == "DagsterInvalidConfigError":
            reason = f"the settings in {short(settings)} are none of Dagster's; correct them"
        reason = reason or "its databases cannot be opened; `kit doctor` says whether they are damaged"
        raise KitError(f"Dagster's home {short(home(config))} cannot be used: {reason}; snapshots are not affected") from error


def tend(config: Config, opened: "dg.DagsterInstance") -> None:
    """Do the regular work on a home: end the runs of dead processes, delete old ones."""
    from kit.orchestration.retention import retain

    sweep(config, opened)
    retain(home(config), opened, config.keep_runs)


def prune_runs(config: Config, keep: int, products: Collection[str] = (), *, dry_run: bool = False) -> int:
    """Delete all runs of Dagster but the newest `keep` of each product and those it still needs; returns their number.

    With `products` only the runs that build no other ones; with `dry_run` nothing is deleted.
    """
    from kit.orchestration.retention import retain

    if not home(config).is_dir():
        return 0
    with instance(config, tended=not dry_run) as opened:
        return retain(home(config), opened, keep, thorough=True, products=products, dry_run=dry_run)


def forget_product(config: Config, product: str) -> int:
    """Delete the assets of a product from Dagster's history, with its runs; returns the number of deleted runs."""
    from kit.orchestration.retention import forget

    if not home(config).is_dir():
        return 0
    with instance(config) as opened:
        return forget(home(config), opened, product)


def forget_values(config: Config, values: Collection[str]) -> list[str]:
    """Delete what Dagster's history has with one of the values; return why that could not be done."""
    from kit.orchestration.retention import forget_values as forget

    if not home(config).is_dir() or not values:
        return []
    try:
        with instance(config) as opened:
            forget(home(config), opened, values)
    except (KitError, sqlite3.Error) as error:
        return [f"Dagster's history could not be cleared: {error}"]
    return []


def _moved(settings: str, folder: Path) -> str:
    """Return settings for this home: those of a home that was moved or copied name the paths of the other one."""
    written_for = _HOME.match(settings) or _ARTIFACTS.search(settings)
    former = Path(_unquoted(written_for[1])) if written_for else folder
    return settings if former == folder else _placed(_HOME.sub("", settings), former, folder)


def _placed(settings: str, former: Path, folder: Path) -> str:
    """Return settings with `folder` in place of the folder `former`, and the comment that names it."""

    def placed(found: re.Match[str]) -> str:
        path = Path(_unquoted(found[1]))
        return f"base_dir: {json.dumps(str(folder / path.relative_to(former)))}" if path.is_relative_to(former) else found[0]

    return f"# Paths in this folder follow it: {json.dumps(str(folder))}\n{_BASE_DIR.sub(placed, settings)}"


def _unquoted(text: str) -> str:
    return str(json.loads(text)) if text.startswith('"') else text.strip()


@contextmanager
def executing(config: Config, run_id: str) -> Iterator[None]:
    """Hold the lock of a run that this process executes among other work, until the block ends."""
    _take_run_lock(config, run_id)
    try:
        yield
    finally:
        _lock_file(home(config), run_id).unlink(missing_ok=True)
        os.close(_held.pop(run_id))


@contextmanager
def hold_run_lock(config: Config, run_id: str) -> Iterator[None]:
    """Hold a lock that shows, until this process ends (however it ends), that it executes a run.

    The locked file says so long as the block runs that a step is in progress: a process that leaves it so was killed.
    """
    _take_run_lock(config, run_id)
    os.pwrite(_held[run_id], _IN_PROGRESS, 0)
    try:
        yield
    finally:
        os.ftruncate(_held[run_id], 0)


def _take_run_lock(config: Config, run_id: str) -> None:
    if run_id not in _held:
        path = _lock_file(home(config), run_id)
        make_folder(path.parent)
        # A bare descriptor: the lock ends with the process, unless the run is over before (`executing`).
        _held[run_id] = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(_held[run_id], fcntl.LOCK_SH)


def is_executed(folder: Path, run_id: str) -> bool:
    """Return whether a process executes a run of the home in a folder, and holds its lock."""
    return _lock_file(folder, run_id).is_file() and _is_alive(_lock_file(folder, run_id), datetime.now(UTC))


_held: dict[str, int] = {}
"""Open descriptors of the locked files of this process, by run."""


def sweep(config: Config, opened: "dg.DagsterInstance") -> list[str]:
    """Cancel the runs whose process has ended before they did, and free their pool slots; returns their ids."""
    import dagster as dg

    from kit.orchestration.dagster_internals import cancel_run

    killed = []
    unfinished = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    for record in opened.get_run_records(dg.RunsFilter(statuses=unfinished)):
        if not _is_alive(_lock_file(home(config), record.dagster_run.run_id), record.update_timestamp):
            killed.append(record.dagster_run)
    locks = home(config) / _LOCKS
    for path in locks.iterdir() if locks.is_dir() else ():
        if not _is_alive(path, datetime.now(UTC)):
            # Dagster's code server may have noticed the end first, and taken it for a failure of the run.
            run = opened.get_run_by_id(path.name) if path.read_bytes() == _IN_PROGRESS else None
            if run and run.status == dg.DagsterRunStatus.FAILURE:
                killed.append(run)
            path.unlink(missing_ok=True)
    for run in killed:
        cancel_run(opened, run, ENDED)
    return [run.run_id for run in killed]


def _is_alive(lock_file: Path, since: datetime) -> bool:
    """Return whether a process holds the lock of its run, or may not have taken it yet."""
    if not lock_file.is_file():
        return datetime.now(UTC) - since < _STARTING
    with lock_file.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _lock_file(folder: Path, run_id: str) -> Path:
    return folder / _LOCKS / run_id
