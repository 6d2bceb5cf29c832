"""Locks between processes, and the lock of a program that runs once per mesh and records its address."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.core.errors import KitError
from kit.core.files import make_folder, write_durably


@contextmanager
def lock(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold an exclusive lock between processes; yields whether it was had (always, when waiting for it).

    The operating system frees it when the process ends, however it ends. The file holds the owner's process id.
    """
    try:
        make_folder(path.parent)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise KitError(f"the storage cannot be written: {path.parent}: {error.strerror}; `kit doctor` tells more") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield True


@dataclass(frozen=True)
class SingleInstance:
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
