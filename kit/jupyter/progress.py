"""Progress of builds in a notebook: a table that grows in the output of the cell, without a widget."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kit.build import Outcome, Progress
from kit.drawing import markup
from kit.orchestration.run import RunReporter


def in_notebook() -> bool:
    """Return whether a kernel runs this code, whose cells can show HTML."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


class CellProgress(RunReporter):
    """The finished steps of builds and the current ones; each change replaces the same output of the cell."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str]] = []
        self.current: dict[str, str] = {}
        self._handle: Any = None

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show the steps of one build."""
        yield Progress(begin=self._begin, end=self._end)

    def finished(self, outcome: Outcome) -> None:
        """Show a failure; other outcomes are in the result of `kit.run`."""
        if outcome.failed:
            self._end(outcome.product, outcome.status, outcome.message.partition("\n")[0], outcome.seconds)

    def _begin(self, product: str, step: str) -> None:
        self.current[product] = f"{product}: {step} …"
        self._show()

    def _end(self, product: str, step: str, result: str, seconds: float) -> None:
        self.rows.append((product, step, result, f"{seconds:.1f}"))
        self.current.pop(product, None)
        self._show()

    def _show(self) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(self, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(self)

    def __repr__(self) -> str:
        lines = [f"{product:<12} {step:<10} {result:<44} {seconds:>6} s" for product, step, result, seconds in self.rows]
        return "\n".join([*lines, *self.current.values()])

    def _repr_html_(self) -> str:
        rows = [(product, markup.colour_states(step), result, seconds) for product, step, result, seconds in self.rows]
        table = markup.table(("product", "step", "result", "seconds"), rows, ["seconds"]) if rows else ""
        return table + "".join(map(markup.paragraph, self.current.values()))
