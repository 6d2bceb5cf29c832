"""The notebook that a cell is run in: which file it is, and whether that is saved."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.core import KitError, read_json, short


@dataclass(frozen=True)
class OwnNotebook:
    """The file that a kernel was started for, the id of the cell at work, if it is known, and what was run last."""

    file: Path
    cell: str | None
    texts: tuple[str, ...]

    @classmethod
    def now(cls) -> "OwnNotebook":
        """That of the cell which calls this; raises `KitError` outside of Jupyter."""
        shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
        file = os.environ.get("JPY_SESSION_NAME")
        if shell is None or not file or not hasattr(shell, "get_parent"):
            raise KitError("which notebook this is cannot be told; name it, as in kit.promote('notebooks/explore.ipynb')")
        parent: dict[str, Any] = shell.get_parent() or {}
        texts = shell.history_manager.input_hist_raw[-2:]
        return cls(Path(file), (parent.get("metadata") or {}).get("cellId"), tuple(text for text in texts if text.strip()))

    def saved(self) -> Path:
        """The file with all that was run last in it, also when it was renamed since; raises `KitError` for an unsaved one."""
        beside = sorted(self.file.parent.glob("*.ipynb"))
        for path in (self.file, *(path for path in beside if path != self.file)):
            if self._is_in(path):
                return path
        if not beside or (self.cell is None and not self.texts):
            raise KitError(f"there is no notebook {short(self.file)}")
        raise KitError(f"{self.file.name} is not saved as it was run; save it (Ctrl+S) and press the button again")

    def _is_in(self, path: Path) -> bool:
        try:
            cells = read_json(path)["cells"]
            ids = {cell.get("id") for cell in cells}
            sources = {"".join(cell["source"]).strip() for cell in cells}
        except (KitError, KeyError, TypeError, AttributeError):
            return False
        return (self.cell is None or self.cell in ids) and sources.issuperset(text.strip() for text in self.texts)
