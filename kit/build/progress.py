"""Progress of a build while it runs."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kit.core import ignore_step


@dataclass
class Progress:
    """A listener of a build: `begin` and `end` are called around each step, `step` at every named point inside.

    `seconds` is the time that each kind of step has taken so far.
    """

    begin: Callable[[str, str], None] = lambda product, step: None
    end: Callable[[str, str, str, float], None] = lambda product, step, result, seconds: None
    step: Callable[[str], None] = ignore_step
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, product: str, step: str) -> Iterator[Callable[[str], None]]:
        """Time one step; the block calls the yielded function with a text about its result."""
        result = [""]
        started = time.perf_counter()
        self.begin(product, step)
        yield lambda text: result.__setitem__(0, text)
        seconds = time.perf_counter() - started
        self.seconds[step] = round(self.seconds.get(step, 0) + seconds, 3)
        self.end(product, step, result[0], seconds)
        self.step(f"{step} done")
