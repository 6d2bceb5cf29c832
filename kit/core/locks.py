"""Locks between processes, and the lock of a program that runs at most once per mesh and publishes its address."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.core.errors import Busy, KitError
from kit.core.files import make_folder, remove_unfinished, write_durably


# flock itself: filelock has no shared locks, which readers of snapshots hold, nor a public descriptor for the process id.
@contextmanager
def lock(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold an exclusive lock between processes; yields whether it was acquired (always, when waiting for it).

    The operating system releases it when the process ends, however it ends. The file contains the holder's process id.
    Raises `KitError` when the file cannot be written.
    """
    try:
        make_folder(path.parent)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise KitError(f"the storage cannot be written: {path.parent}: {error.strerror}; run `kit doctor`") from None
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
    """The program `name` of a mesh, of which at most one process runs; its lock and address are in `folder`."""

    name: str
    folder: Path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Run as the only instance until the block ends; raises `Busy` while another process does."""
        with lock(self._lock, wait=False) as acquired:
            if not acquired:
                state = f"runs already for this mesh at {self.address}" if self.address else "starts or stops for this mesh"
                advice = "stop it first" if self.address else "try again"
                raise Busy(f"{self.name} {state} (process {self.process}); {advice}")
            remove_unfinished(self.folder)
            try:
                yield
            finally:
                self._address_file.unlink(missing_ok=True)

    def set_address(self, address: str) -> None:
        """Publish the address of the running instance."""
        write_durably(self._address_file, address)

    @property
    def address(self) -> str | None:
        """The address of the running instance; None while none runs or it is not ready yet."""
        try:
            address = self._address_file.read_text(encoding="utf-8")
        except OSError:
            return None
        with lock(self._lock, wait=False) as acquired:  # an instance that was killed has left the file behind
            return None if acquired else address

    @property
    def process(self) -> str:
        """The process id of the running instance, or `?`."""
        return (self._lock.read_text(encoding="utf-8") if self._lock.is_file() else "") or "?"

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"

    @property
    def _address_file(self) -> Path:
        return self.folder / "address"
