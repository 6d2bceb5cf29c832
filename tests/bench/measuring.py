"""Costs of commands, measured in turn with those of their peers, and the table that shows them."""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
_SAMPLED = 0.2
"""Seconds between two looks at the memory of a process tree."""
_BUSY = 0.1
"""The share of the machine used by others from which a measurement counts as made beside other load."""


@dataclass(frozen=True)
class Cost:
    """The cost of one command with all its processes: seconds on the clock, CPU seconds, the most memory at one time in MB.

    `others` is the share of the machine's CPU time that other processes used meanwhile.
    """

    wall: float
    cpu: float = 0.0
    memory: float = 0.0
    others: float = 0.0


@dataclass(frozen=True)
class Limit:
    """The most that something may cost, as a ratio to the first row of its table, or `absolute` in seconds or MB."""

    most: float
    unit: str = "wall"
    absolute: bool = False

    def __str__(self) -> str:
        unit = "MB" if self.unit == "memory" else "s"
        return f"{self.unit} <= {self.most:g}{f' {unit}' if self.absolute else ' x'}"


@dataclass
class Row:
    """One kind of work: its name in the table, the function that does it once, its limit, and the costs so far.

    The function returns None where it did nothing that counts.
    """

    name: str
    work: Callable[[], Cost | None]
    limits: Sequence[Limit] = ()
    costs: list[Cost] = field(default_factory=list)

    def median(self, unit: str) -> float:
        """The median of a unit of the costs."""
        return statistics.median(getattr(cost, unit) for cost in self.costs)


def measure(
    command: Sequence[str],
    folder: Path = ROOT,
    *,
    environment: Mapping[str, str] | None = None,
    helpers: Sequence[int] = (),
) -> Cost:
    """Run a command to its end in a folder and return its cost; raises `RuntimeError` when it fails.

    `helpers` are processes that work for the command and outlive it: the worker.
    """
    busy, before, started = psutil.cpu_times(), _cpu_of_children(helpers), time.perf_counter()
    own = time.process_time()
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    peak = _Peak([process.pid, *helpers])
    with peak:
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with exit code {process.returncode}:\n{errors.decode()[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime + _cpu_of_children(helpers) - before
    # Looking at memory takes time of this process, which is none of others.
    used = _busy(psutil.cpu_times()) - _busy(busy) - (time.process_time() - own)
    return Cost(wall, cpu, peak.most / 2**20, max(0.0, used - cpu) / (wall * (os.cpu_count() or 1)))


def alternate(runs: int, rows: Sequence[Row], title: str, *, warm: bool = False) -> None:
    """Do each row's work in turn, `runs` times, so that a change of the machine's load meets all.

    With `warm` it is done once before, without being counted.
    """
    for number in range(0 if warm else 1, runs + 1):
        print(f"{title}: run {number} of {runs}", file=sys.stderr, flush=True)
        for row in rows:
            cost = row.work()
            if number and cost is not None:
                row.costs.append(cost)


def report(title: str, rows: Sequence[Row]) -> bool:
    """Print the medians of all rows with their ratios to the first, and the limits; return whether all are kept."""
    base, kept = rows[0], True
    print(f"\n{title}; median of {len(base.costs)} alternating runs, x is the ratio to the first row")
    print(f"{'':<46}{'wall':>9}{'x':>7}{'CPU':>10}{'x':>7}{'memory':>10}{'x':>6}  limit")
    for row in rows:
        middle = {unit: row.median(unit) for unit in ("wall", "cpu", "memory")}
        ratios = {unit: value / (base.median(unit) or 1.0) for unit, value in middle.items()}
        verdicts = []
        for limit in row.limits:
            good = (middle if limit.absolute else ratios)[limit.unit] <= limit.most
            kept = kept and good
            verdicts.append(f"{limit}: {'kept' if good else 'MISSED'}")
        if row.median("others") > _BUSY:
            verdicts.append(f"beside other load of {row.median('others'):.0%}")
        print(
            f"{row.name:<46}{middle['wall']:>7.2f} s{ratios['wall']:>7.2f}{middle['cpu']:>8.2f} s{ratios['cpu']:>7.2f}"
            f"{middle['memory']:>7.0f} MB{ratios['memory']:>6.1f}  {', '.join(verdicts)}"
        )
    return kept


class _Peak:
    """The most memory that process trees used at one time; pages that processes share count once."""

    def __init__(self, pids: Sequence[int]) -> None:
        self.most = 0
        self._pids = pids
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLED):
            used = 0
            for pid in self._pids:
                with suppress(psutil.Error):
                    tree = psutil.Process(pid)
                    used += sum(map(_private, [tree, *tree.children(recursive=True)]))
            self.most = max(self.most, used)


def _private(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_full_info().pss)
    return 0


def _cpu_of_children(pids: Sequence[int]) -> float:
    total = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        total += times.children_user + times.children_system
    return total


def _busy(times: Mapping[str, float] | tuple[float, ...]) -> float:
    fields: dict[str, float] = times._asdict()  # type: ignore[union-attr]
    return sum(value for name, value in fields.items() if name in ("user", "nice", "system", "irq", "softirq"))
