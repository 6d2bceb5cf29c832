"""Changes to files: looked at before they are made, and made all together or not at all."""

import difflib
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from kit.core import KitError, short, write_durably
from kit.mesh import DESCRIPTOR


@dataclass(frozen=True)
class FileChange:
    """A file as it is, None where there is none, and as it shall be; `generated` is what `kit sync` writes."""

    path: Path
    before: bytes | None
    after: bytes
    generated: bool = False

    @classmethod
    def of(cls, path: Path, after: bytes, *, generated: bool = False) -> "FileChange":
        """A change of the file as it is now."""
        return cls(path, path.read_bytes() if path.exists() else None, after, generated)

    def diff(self) -> list[str]:
        """The lines of a unified diff."""
        name = short(self.path)
        old, new = ((text or b"").decode(errors="replace").splitlines() for text in (self.before, self.after))
        return list(difflib.unified_diff(old, new, name if self.before is not None else "/dev/null", name, lineterm=""))

    def counted(self) -> str:
        """How many lines come and go, such as `+12 -3`."""
        lines = self.diff()[2:]
        return f"+{sum(line[0] == '+' for line in lines)} -{sum(line[0] == '-' for line in lines)}"


def apply_changes(changes: Iterable[FileChange]) -> Callable[[], None]:
    """Make changes, new files first and a descriptor, which makes them count, last; gives what undoes all of them.

    Raises `KitError` when one of them cannot be made, and then every file is as it was.
    """
    undo = ExitStack()
    try:
        for change in sorted(changes, key=lambda change: (change.before is not None, change.path.name == DESCRIPTOR)):
            try:
                _make(change, undo)
            except OSError as error:
                raise KitError(f"{short(change.path)}: nothing was written: {error.strerror or error}") from None
    except BaseException:
        undo.close()
        raise
    return undo.close


def _make(change: FileChange, undo: ExitStack) -> None:
    path = change.path
    if path.is_symlink() or (path.read_bytes() if path.exists() else None) != change.before:
        there = "is there already" if change.before is None else "was changed meanwhile"
        raise KitError(f"{short(path)} {there}; nothing was written")
    for parent in reversed(path.parents):
        if not parent.exists():
            parent.mkdir()
            undo.callback(_removed, parent)
    undo.callback(_restored, path, change.before)
    write_durably(path, change.after)


def _restored(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    elif path.read_bytes() != content:
        write_durably(path, content)


def _removed(folder: Path) -> None:
    with suppress(OSError):  # somebody else keeps a file there
        folder.rmdir()
