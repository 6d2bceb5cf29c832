"""One program of a kind per mesh: a lock for as long as it runs, and a note of where it is found."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.files import lock, write_durably


@dataclass(frozen=True)
class Single:
    """The place in `folder` of a program that runs at most once."""

    folder: Path

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Be the one until the block ends; yields False when another process is. What was told is then no longer true."""
        with lock(self._lock, wait=False) as held:
            try:
                yield held
            finally:
                if held:
                    self._note.unlink(missing_ok=True)

    def tell(self, address: str) -> None:
        """Note where it is found."""
        write_durably(self._note, address)

    @property
    def told(self) -> str | None:
        """Where the one that runs is found; None while nothing runs or it is not ready yet."""
        try:
            address = self._note.read_text(encoding="utf-8")
        except OSError:
            return None
        with lock(self._lock, wait=False) as ended:  # killed, it left its note
            return None if ended else address

    @property
    def process(self) -> str:
        """The process id of the one that runs, or `?`."""
        return (self._lock.read_text(encoding="utf-8") if self._lock.is_file() else "") or "?"

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"

    @property
    def _note(self) -> Path:
        return self.folder / "address"
