"""Python environments of connectors, each with packages of its own by exact version, below one folder."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

from kit.core import IngestError, guarded, lock, make_folder, read_json, sync_path, write_durably
from kit.ingest.connector import Environment

FOLDER = "connectors"
"""The folder in the storage with one environment per connector."""

_MARK = "kit.json"
_LINE = 200
_begun: dict[Path, Future[Path]] = {}
"""The environments that this process has begun to make and not asked for yet, by their folder."""


class Environments:
    """The environments below `folder`; one is complete when its mark is there, and is made again for other packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, environment: Environment) -> Path:
        """Return the folder of an environment, whether it is there or not."""
        return self.folder / environment.name

    def is_made(self, environment: Environment) -> bool:
        """Whether an environment is complete, has these packages, and was made for this Python."""
        mark = self.place(environment) / _MARK
        return mark.is_file() and read_json(mark) == {"digest": _digest(environment)}

    def begin(self, environment: Environment) -> None:
        """Begin to make an environment beside this thread; `make` waits for it, and has its error."""
        if (place := self.place(environment)) in _begun:
            return
        begun = _begun[place] = Future[Path]()

        def make() -> None:
            try:
                begun.set_result(self._make(environment))
            except BaseException as error:
                begun.set_exception(error)

        threading.Thread(target=make, name=f"making {environment.name}", daemon=True).start()

    def make(self, environment: Environment) -> Path:
        """Return the folder of an environment, which is made unless it is there; another process may be making it.

        Raises `IngestError` when a package cannot be installed.
        """
        if begun := _begun.pop(self.place(environment), None):
            begun.result()
        return self._make(environment)

    def _make(self, environment: Environment) -> Path:
        place = self.place(environment)
        if self.is_made(environment):
            return place
        make_folder(self.folder)
        with lock(self.folder / f".{environment.name}.lock", wait=True):
            if self.is_made(environment):
                return place
            shutil.rmtree(place, ignore_errors=True)
            self._run(environment, "venv", str(place))
            python = str(place / "bin/python")
            self._run(environment, "pip", "--python", python, "install", "-q", "--only-binary", ":all:", *environment.packages)
            write_durably(place / _MARK, json.dumps({"digest": _digest(environment)}))
            sync_path(place)
        return place

    def _run(self, environment: Environment, *arguments: str) -> None:
        """Run a module of this Python; raises `IngestError` with its last line of output."""
        # What users configured for pip counts; nothing of a virtual environment around this process does.
        variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        command = guarded([sys.executable, "-m", *arguments])  # pip does not go on without this process
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
            reason = next((line for line in lines if line.startswith("ERROR:")), lines[-1] if lines else "it gave no reason")
            shutil.rmtree(self.place(environment), ignore_errors=True)
            raise IngestError(
                f"the environment of the connector {environment.name} cannot be made with {', '.join(environment.packages)}: "
                f"{reason.removeprefix('ERROR: ')[:_LINE]}"
            )


def _digest(environment: Environment) -> str:
    parts = [*environment.packages, sys.version.partition(" ")[0], sys.base_prefix]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
