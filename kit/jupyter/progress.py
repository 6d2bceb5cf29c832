"""What a person sees of builds in a notebook: a table that grows in the output of the cell, without a widget."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kit.build import Progress
from kit.drawing import markup

if TYPE_CHECKING:
    from kit.build import Outcome


def in_notebook() -> bool:
    """Whether a kernel runs this, whose cells can show more than lines."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


class CellProgress:
    """The steps of builds that are done, and the one at work; each is written into the same output as it comes."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str]] = []
        self.working = ""
        self._handle: Any = None

    @contextmanager
    def watch(self) -> Iterator[Progress]:
        """Listen to one build."""
        yield Progress(begin=self._begin, end=self._end)

    def tell(self, outcome: "Outcome") -> None:
        """Hear how a build ended; of one that did not fail `kit.run` gives the rest."""
        if outcome.failed:
            self._end(outcome.product, outcome.status, outcome.message.partition("\n")[0], outcome.seconds)

    def _begin(self, product: str, step: str) -> None:
        self.working = f"{product}: {step} …"
        self._show()

    def _end(self, product: str, step: str, result: str, seconds: float) -> None:
        self.rows.append((product, step, result, f"{seconds:.1f}"))
        self.working = ""
        self._show()

    def _show(self) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(self, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(self)

    def __repr__(self) -> str:
        lines = [f"{product:<12} {step:<10} {result:<44} {seconds:>6} s" for product, step, result, seconds in self.rows]
        return "\n".join([*lines, *filter(None, [self.working])])

    def _repr_html_(self) -> str:
        rows = [(product, markup.colour_states(step), result, seconds) for product, step, result, seconds in self.rows]
        table = markup.table(("product", "step", "result", "seconds"), rows, ["seconds"]) if rows else ""
        return table + (markup.paragraph(self.working) if self.working else "")
