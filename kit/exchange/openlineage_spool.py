"""The events of runs on disk, and those that wait for a server.

`<storage>/runs/<product>/<run id>/openlineage.jsonl` has all events of one run, in order, one JSON object a line.
`<storage>/openlineage/<run id>.<product>` marks a run of which events wait, or which has not ended; it holds the number of
events that were sent.
"""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from kit.core import Config, counted, lock, make_folder, write_durably
from kit.exchange import web
from kit.exchange.openlineage_events import Event, unended
from kit.exchange.openlineage_target import Refused, Target
from kit.storage import Runs

FILE = "openlineage.jsonl"

_MOST_RUNS = 100
"""Runs of which events wait, at most: a build reads them all. Those before stay in their folders."""


@dataclass(frozen=True)
class EventFile:
    """The events of one run of one product."""

    config: Config
    product: str
    run_id: str

    @property
    def path(self) -> Path:
        """The file, which may not be there."""
        return Runs(self.config.storage).folder(self.product, self.run_id) / FILE

    @property
    def marker(self) -> Path:
        """The file that is there as long as the run has not ended, or events of it wait."""
        return self.config.storage / "openlineage" / f"{self.run_id}.{self.product}"

    @classmethod
    def waiting(cls, config: Config) -> "list[EventFile]":
        """Return the runs with a marker, oldest first."""
        folder = config.storage / "openlineage"
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
        return [cls(config, product, run_id) for run_id, _, product in (name.partition(".") for name in names) if product]

    @classmethod
    def all(cls, config: Config) -> "list[EventFile]":
        """Return all runs with events, oldest first."""
        found = [path.parent for path in Runs(config.storage).root.glob(f"*/*/{FILE}")]
        return [cls(config, path.parent.name, path.name) for path in sorted(found, key=lambda path: path.name)]

    def read(self) -> list[Event]:
        """Return the events; none when there is no file, or it was removed with its run."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        events: list[Event] = []
        with suppress(ValueError):  # a line that a person broke: what follows it is not known either
            for line in lines:
                events.append(json.loads(line))
        return events

    def append(self, events: Sequence[Event]) -> None:
        """Add events as a whole, and the marker of the run."""
        make_folder(self.path.parent)
        make_folder(self.marker.parent)
        if not self.marker.exists():
            write_durably(self.marker, "0")
        before = self.path.read_text(encoding="utf-8") if self.path.is_file() else ""
        lines = (json.dumps(event, ensure_ascii=False, allow_nan=False, default=str) for event in events)
        write_durably(self.path, before + "".join(f"{line}\n" for line in lines))

    def sent(self) -> int:
        """Return how many events were sent."""
        try:
            return int(self.marker.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0

    def is_open(self) -> bool:
        """Return whether the run has begun and not ended."""
        return bool(unended(self.read()))


class _Delivery:
    """Sends events of several runs in a thread, which a server can hold up without holding up anything else."""

    def __init__(self, target: Target, queue: Sequence[tuple[EventFile, Event]], seconds: float) -> None:
        self.target, self.queue, self.seconds = target, queue, seconds
        self.sent: list[EventFile] = []
        self.refused = ""
        self.problem = ""
        self.stopped = False

    def run(self) -> None:
        """Send one event after the other until one is not taken."""
        for file, event in self.queue:
            if self.stopped:
                return
            try:
                if self.target.takes(event):
                    self.target.send(event, self.seconds)
            except Refused as error:
                self.refused = self.refused or str(error)
            except Exception as error:  # a thread must not print a traceback
                self.problem = str(error) if isinstance(error, web.Unreachable) else f"{type(error).__name__}: {error}"
                return
            self.sent.append(file)

    def within(self, seconds: float) -> list[EventFile]:
        """Send for so long at most; return the file of each event that was sent."""
        thread = Thread(target=self.run, daemon=True)
        thread.start()
        thread.join(seconds)
        self.stopped = True
        if thread.is_alive():
            self.problem = f"no answer in {seconds:g} s"
        return list(self.sent)


def deliver(config: Config, target: Target | None, seconds: float, *, only_new: bool = False) -> str:
    """Send the events that wait, oldest first, for so many seconds at most; return what went wrong, as one line.

    Without a target nothing waits. With `only_new` nothing is sent while events of earlier runs wait, for which a server was
    not there. Only one process sends at a time; half of the seconds are for waiting for another one, none with `only_new`.
    An event may be sent twice, when a process is killed between sending it and noting that; it is the same event then.
    """
    begun = time.monotonic()
    while True:
        with lock(config.storage / "openlineage" / ".lock", wait=False) as held:
            waited = time.monotonic() - begun
            if held:
                return _deliver(config, target, round(seconds - waited, 1), only_new=only_new)
        if only_new or waited > seconds / 2:
            return ""
        time.sleep(0.05)


def _deliver(config: Config, target: Target | None, seconds: float, *, only_new: bool) -> str:
    files = EventFile.waiting(config)
    if only_new and any(not file.is_open() for file in files):
        return ""
    given_up = [file for file in files[:-_MOST_RUNS] if not file.is_open()] if target else []
    for file in given_up:
        file.marker.unlink(missing_ok=True)
    found = [(file, file.read(), file.sent()) for file in files if file not in given_up]
    waiting = [(file, event) for file, events, sent in found for event in events[sent:]] if target else []
    delivery = _Delivery(target, waiting, seconds) if target and waiting else None
    done = delivery.within(seconds) if delivery else []
    for file, events, sent in found:
        number = sent + done.count(file) if target else len(events)
        if number >= len(events) and not unended(events):
            file.marker.unlink(missing_ok=True)
        elif file in done:
            write_durably(file.marker, str(number))
    if delivery is None:
        return ""
    older = f"; `kit export openlineage --all` sends those of {counted(len(given_up), 'older run')}" if given_up else ""
    if left := len(waiting) - len(done):
        verb = "waits" if left == 1 else "wait"
        line = f"{counted(left, 'event')} {verb} for {delivery.target.url}: {delivery.problem}; the next build sends them"
        return line + older
    return f"{delivery.target.url} did not take an event: {delivery.refused}" if delivery.refused else ""
