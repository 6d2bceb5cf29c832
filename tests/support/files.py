"""Writing and changing files of a mesh."""

from collections.abc import Callable
from pathlib import Path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def replace(path: Path, old: str, new: str) -> None:
    """Replace a text that the file must contain."""
    text = path.read_text()
    assert old in text, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new))


def replaced(path: str, old: str, new: str) -> Callable[[Path], None]:
    """Return an edit of a folder: a text is replaced in the file at `path` below it, where the file still has it."""

    def edit(folder: Path) -> None:
        file = folder / path
        file.write_text(file.read_text().replace(old, new))

    return edit
