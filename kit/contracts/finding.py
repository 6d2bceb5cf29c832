"""A finding: one problem that a check reports, with its place and what to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kit.core import KitError, place

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One problem.

    `product` is the data product, or the file or part of the machine when no product has the problem. `line` counts from 1,
    in a notebook from the first line of the `cell`. `fix` says what to do; it is empty where the message does. `detail`
    holds further lines, such as a diff. Findings of severity `error` make a check fail.
    """

    product: str
    path: Path | None
    line: int | None
    message: str
    fix: str = ""
    severity: Severity = "error"
    cell: int | None = None
    detail: str = ""

    @classmethod
    def from_error(cls, product: str, error: Exception, fix: str = "") -> "Finding":
        """The finding that reports an error, at the error's place."""
        if not isinstance(error, KitError):
            return cls(product, None, None, str(error), fix)
        message = f"{error.field}: {error.problem}" if error.field else error.problem
        return cls(product, error.path, error.line, message, fix)

    @property
    def located(self) -> str:
        """The message with its place before it: `path:line: message`."""
        if self.cell is None:
            parts = [place(self.path, self.line)]
        else:
            parts = [place(self.path, None), f"cell {self.cell}" + (f", line {self.line}" if self.line else "")]
        return "".join(f"{part}: " for part in parts if part) + self.message

    def __str__(self) -> str:
        """The whole finding without its product, as for a terminal: `path:line: message; fix`, the detail below."""
        return self.located + (f"; {self.fix}" if self.fix else "") + (f"\n{self.detail}" if self.detail else "")

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values; `problem` is its whole text."""
        return {**vars(self), "path": str(self.path) if self.path else None, "problem": str(self)}
