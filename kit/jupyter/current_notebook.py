"""The notebook whose kernel runs this code: its file, and whether that file is saved."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.core import KitError, calling_notebook, read_json, short


@dataclass(frozen=True)
class CurrentNotebook:
    """The file for which a kernel was started, the id of the running cell, if known, and the sources of the last cells."""

    file: Path
    cell: str | None
    sources: tuple[str, ...]

    @classmethod
    def from_kernel(cls) -> "CurrentNotebook":
        """Return the notebook of the cell that calls this; raises `KitError` outside of Jupyter."""
        file = calling_notebook()
        if file is None:
            raise KitError("the current notebook is unknown; name it, as in kit.promote('notebooks/explore.ipynb')")
        shell = sys.modules["IPython"].get_ipython()
        parent: dict[str, Any] = shell.get_parent() or {}
        sources = shell.history_manager.input_hist_raw[-2:]
        cell = (parent.get("metadata") or {}).get("cellId")
        return cls(file, cell, tuple(source for source in sources if source.strip()))

    def saved_file(self) -> Path:
        """Return the file that contains the last cells, also when it was renamed; raises `KitError` when none does."""
        beside = sorted(self.file.parent.glob("*.ipynb"))
        for path in (self.file, *(path for path in beside if path != self.file)):
            if self._is_saved_in(path):
                return path
        if not beside or (self.cell is None and not self.sources):
            raise KitError(f"there is no notebook {short(self.file)}")
        raise KitError(f"{self.file.name} is not saved since its last cell ran; save it (Ctrl+S) and press the button again")

    def _is_saved_in(self, path: Path) -> bool:
        try:
            cells = read_json(path)["cells"]
            ids = {cell.get("id") for cell in cells}
            saved = {"".join(cell["source"]).strip() for cell in cells}
        except (KitError, KeyError, TypeError, AttributeError):
            return False
        return (self.cell is None or self.cell in ids) and saved.issuperset(source.strip() for source in self.sources)
