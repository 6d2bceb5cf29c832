"""Locks between processes, and the lock of a program that runs at most once per mesh and publishes its address."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

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
        file = _locked(path, wait=wait)
    except OSError as error:
        place = path if path.is_dir() else path.parent
        raise KitError(f"the storage cannot be written: {place}: {error.strerror}; run `kit doctor`") from error
    with file or nullcontext():
        if file:
            with suppress(OSError):  # on a full disk the lock works all the same
                os.ftruncate(file.fileno(), 0)
                os.write(file.fileno(), str(os.getpid()).encode())
        yield file is not None


def _locked(path: Path, *, wait: bool) -> IO[str] | None:
    """Return the file, locked; None when another process holds the lock.

    A file that was deleted before it was locked excludes nobody who opens the path now: then the new one is locked.
    """
    while True:
        make_folder(path.parent)
        with ExitStack() as stack:
            file = stack.enter_context(path.open("a+", encoding="utf-8"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                return None
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    stack.pop_all()
                    return file


def holder(path: Path) -> str:
    """Return the process id that a lock file contains, or `?`."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "?"
    return text if text.isdigit() else "?"


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
                raise Busy(f"{self.name} {state} ({self.owner}); {advice}")
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
        except (OSError, UnicodeDecodeError):
            return None
        with lock(self._lock, wait=False) as acquired:  # an instance that was killed has left the file behind
            return None if acquired else address

    @property
    def process(self) -> str:
        """The process id of the running instance, or `?`."""
        return holder(self._lock)

    @property
    def owner(self) -> str:
        """Who runs it: the process, its user, since when, and the folder from which it was started, as far as known."""
        process = self.process
        try:
            about, begun = Path(f"/proc/{int(process)}"), datetime.fromtimestamp(self._lock.stat().st_mtime)
            return f"process {process} of {about.owner()} since {begun:%Y-%m-%d %H:%M}, started in {(about / 'cwd').readlink()}"
        except (OSError, ValueError, KeyError):
            return f"process {process}"

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"

    @property
    def _address_file(self) -> Path:
        return self.folder / "address"
