"""Errors for users: each message names the problem, the value, what is allowed and what to do."""

from pathlib import Path

from kit.core.text import place


class KitError(Exception):
    """Base class of all errors of the kit; its text, printed without a traceback, is `path:line: field: problem`.

    `path` is a file or folder, `line` counts from 1, `field` names a part of the file; unknown ones are left out.
    `exit_code` is that of a command which ends by the error.
    """

    exit_code = 1

    def __init__(self, problem: str, path: Path | None = None, line: int | None = None, field: str = "") -> None:
        super().__init__(problem, path, line, field)
        self.problem, self.path, self.line, self.field = problem, path, line, field

    def __str__(self) -> str:
        return "".join(f"{part}: " for part in (place(self.path, self.line), self.field) if part) + self.problem

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython prints instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


def is_failure(error: BaseException) -> bool:
    """Whether code failed by an error of whatever class, such as a panic of a Rust library; False for a request to end."""
    endings = {"KeyboardInterrupt", "DagsterExecutionInterruptedError"}
    return endings.isdisjoint(kind.__name__ for kind in type(error).__mro__)


class ConfigError(KitError):
    """A setting in `[tool.kit]` or in an environment variable is invalid."""


class InvalidFile(KitError):
    """A file of a domain folder is invalid."""


class Unreadable(InvalidFile):
    """A file cannot be opened, such as without the right to it or with too many others open; it may be in order."""


class Newer(InvalidFile):
    """A newer kit wrote a file in a form that this one does not know."""


class Damaged(KitError):
    """A file that was published, or the record of it, is missing or not as the kit wrote it."""


class MeshError(KitError):
    """Data products do not fit together: unknown ports, missing versions, cycles, duplicate names."""


class UnknownName(KitError):
    """A product, port or snapshot does not exist; the text lists those that do."""


class NotPublished(KitError):
    """A port has no published snapshot yet."""


class Busy(KitError):
    """Another process is building or publishing the same product."""


class IngestError(KitError):
    """Raw data cannot be read with the column types of its contract.

    `passing` is the reason why the next attempt may succeed, where another process has found one.
    """

    passing = ""


class SourceChanged(IngestError):
    """A file of a source changed while it was read."""


class TransformError(KitError):
    """A dbt project cannot be parsed, or one of its models fails."""


class NotebookError(KitError):
    """An asset notebook is invalid, failed, stopped early, exceeded its time limit or lost its kernel.

    `exception` is the name of the exception that a cell raised, `value` its text; empty when none did.
    """

    exception = value = ""


class NotATable(KitError):
    """The value given to `kit.output` is neither a polars nor a pandas DataFrame."""


class ModelError(KitError):
    """A language model gave no answer: its endpoint is dead, refuses or answers nonsense, a budget is used up, or a contract
    does not allow to send a port to it.
    """


class AuditFailed(KitError):
    """Data breaks its contract or an expectation; nothing was published."""


class MaskError(KitError):
    """Columns cannot be masked: the key is missing or too short, or the masked data breaks the contract."""


class SqlError(KitError):
    """A query in a notebook was refused or failed; the text shows the place in the query where it is known."""


class PublishConflict(KitError):
    """Another process changed the current snapshot while this build ran; nothing was published."""


class RevisionError(KitError):
    """A revision cannot be compared with: this clone does not know it, or lacks the commit that both have in common."""

    exit_code = 2
