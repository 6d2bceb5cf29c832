"""Changes to files: shown before they are made, and made all together or not at all."""

import difflib
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from kit.core import KitError, short, write_durably
from kit.mesh import DESCRIPTOR


@dataclass(frozen=True)
class FileChange:
    """A file before the change, None for a new one, and after it; `generated` is true of files that `kit sync` writes."""

    path: Path
    before: bytes | None
    after: bytes
    generated: bool = False

    @classmethod
    def from_file(cls, path: Path, after: bytes, *, generated: bool = False) -> "FileChange":
        """A change of the file as it is on disk."""
        return cls(path, path.read_bytes() if path.exists() else None, after, generated)

    def diff(self) -> list[str]:
        """The lines of a unified diff."""
        name = short(self.path)
        old, new = ((text or b"").decode(errors="replace").splitlines() for text in (self.before, self.after))
        return list(difflib.unified_diff(old, new, name if self.before is not None else "/dev/null", name, lineterm=""))

    def line_counts(self) -> str:
        """The numbers of added and removed lines, such as `+12 -3`."""
        lines = self.diff()[2:]
        return f"+{sum(line[0] == '+' for line in lines)} -{sum(line[0] == '-' for line in lines)}"


def apply_changes(changes: Iterable[FileChange]) -> Callable[[], None]:
    """Make changes, new files first and the descriptor that declares them last; return a function that undoes all of them.

    Raises `KitError` when one of them cannot be made, and then every file is as it was.
    """
    undo = ExitStack()
    try:
        for change in sorted(changes, key=lambda change: (change.before is not None, change.path.name == DESCRIPTOR)):
            try:
                _make(change, undo)
            except OSError as error:
                raise KitError(f"nothing was written: {error.strerror or error}", change.path) from None
    except BaseException:
        undo.close()
        raise
    return undo.close


def _make(change: FileChange, undo: ExitStack) -> None:
    path = change.path
    if path.is_symlink() or (path.read_bytes() if path.exists() else None) != change.before:
        problem = "exists already" if change.before is None else "has changed meanwhile"
        raise KitError(f"{problem}; nothing was written", path)
    for parent in reversed(path.parents):
        if not parent.exists():
            parent.mkdir()
            undo.callback(_remove, parent)
    undo.callback(_restore, path, change.before)
    write_durably(path, change.after)


def _restore(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    elif path.read_bytes() != content:
        write_durably(path, content)


def _remove(folder: Path) -> None:
    with suppress(OSError):  # another program has put a file there
        folder.rmdir()
