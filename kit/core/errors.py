"""Errors a person can act on: each says what, which value, what is allowed and what to do."""

from pathlib import Path

from kit.core.text import place


class KitError(Exception):
    """Base class; its text, shown without a traceback, is `path:line: field: problem` as far as the place is known.

    `path` is a file or folder, `line` counts from 1, `field` names the part of the file that breaks a rule.
    """

    def __init__(self, problem: str, path: Path | None = None, line: int | None = None, field: str = "") -> None:
        super().__init__(problem, path, line, field)
        self.problem, self.path, self.line, self.field = problem, path, line, field

    def __str__(self) -> str:
        return "".join(f"{part}: " for part in (place(self.path, self.line), self.field) if part) + self.problem

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class ConfigError(KitError):
    """`[tool.kit]` or an environment variable has a value the kit cannot use."""


class InvalidFile(KitError):
    """A file of a domain folder breaks its format."""


class MeshError(KitError):
    """Data products that do not fit together: unknown ports, missing versions, cycles, equal names."""


class UnknownName(KitError):
    """A product, port or snapshot that does not exist; the text lists what does."""


class NotPublished(KitError):
    """The port exists but has no published snapshot yet."""


class Busy(KitError):
    """Another process is building or publishing the same product."""


class IngestError(KitError):
    """Raw data cannot be read with the types its contract states."""


class TransformError(KitError):
    """A dbt project cannot be parsed or one of its models fails."""


class NotebookError(KitError):
    """An asset notebook was refused, failed, stopped early, hung or lost its kernel."""


class AuditFailed(KitError):
    """A candidate breaks its contract or an expectation; nothing was published."""


class MaskError(KitError):
    """Columns cannot be masked: the key is missing or too short, or what is left breaks the contract."""


class SqlError(KitError):
    """A query of a notebook was refused or failed; where it can be told, the text shows the place in it."""


class PublishConflict(KitError):
    """The product moved to another snapshot while this build ran; nothing was published."""
