"""The process of an `ingest.py`: calls its functions as `kit.ingest.process` asks, and answers with files."""

import importlib.util
import json
import os
import socket
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from kit.core import IngestError, confinement, frame_types, is_failure, why_it_may_pass
from kit.ingest.delivery import Delivery

_INTERRUPTED = 130
_LONGEST = 100_000  # characters of a message


class Failure(Exception):
    """What is reported of a call that failed; `answer` are the values for `kit.ingest.process`."""

    def __init__(self, problem: str, error: BaseException | None = None, **answer: object) -> None:
        refused = next(filter(None, map(_refused, _causes(error))), None)
        passing = why_it_may_pass(error) if error else ""
        cause = _brief(error) if error and not isinstance(error, IngestError) else ""
        self.answer = {"problem": problem, "cause": cause, "passing": passing, "refused": refused and str(refused), **answer}


def main(descriptor: str, folder: str, name: str, temp: str) -> None:
    """Serve calls until the other side closes the socket."""
    os.set_inheritable(int(descriptor), False)
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    module: ModuleType | None = None
    with socket.socket(fileno=int(descriptor)) as channel:
        for line in channel.makefile(encoding="utf-8"):
            request = json.loads(line)
            try:
                module = module or _load(Path(folder, "ingest.py"), f"kit_ingest_{name}")
                answer = _call(module, request["source"], request["label"], Path(temp, f"{request['source']}.parquet"))
            except Failure as failure:
                answer = failure.answer
            sys.stdout.flush()
            channel.sendall(json.dumps(answer).encode() + b"\n")


def _load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Failure("cannot be loaded as Python", in_file=True)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except IngestError as error:
        raise Failure(str(error), error) from None
    except BaseException as error:
        if not is_failure(error):
            raise
        raise Failure("fails on import", error, in_file=True) from None
    return module


def _call(module: ModuleType, source: str, label: str, target: Path) -> Mapping[str, object]:
    function = getattr(module, source, None)
    if not callable(function):
        raise Failure(f"has no function '{source}'; write one that returns the raw data's path or frame", in_file=True)
    try:
        returned, delivered = function(), None
        if isinstance(returned, Delivery):
            returned, delivered = returned.data, returned.time(label)
    except IngestError as error:
        raise Failure(str(error), error) from None
    except BaseException as error:
        if not is_failure(error):
            raise
        raise Failure(f"{source}() failed", error, in_file=True) from None
    if isinstance(returned, str | os.PathLike):
        return _answer(os.fspath(returned), delivered, is_frame=False)
    _write(label, returned, target)
    return _answer(str(target), delivered, is_frame=True)


def _answer(path: str, delivered: datetime | None, *, is_frame: bool) -> Mapping[str, object]:
    return {"path": path, "is_frame": is_frame, "delivered": delivered and delivered.isoformat()}


def _write(label: str, frame: Any, target: Path) -> None:
    write = getattr(frame, "sink_parquet", None) or getattr(frame, "write_parquet", None)
    if write is None or type(frame).__module__.partition(".")[0] != "polars":
        kind = type(frame)
        name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        raise Failure(f"{label}: returned {'nothing' if frame is None else f'a {name}'}; return a path or a polars frame")
    try:
        problems = list(frame_types.misfits(frame.lazy().collect_schema()))
        if not problems:
            write(target)
    except BaseException as error:
        if not is_failure(error):
            raise
        raise Failure(f"{label}: the frame cannot be written", error) from None
    if problems:
        raise Failure(f"{label}: the frame: {'; '.join(problems[:3])}")


def _causes(error: BaseException | None) -> list[BaseException]:
    """An error and those that were handled when it was raised."""
    causes: list[BaseException] = []
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__ or error.__context__
    return causes


def _refused(error: BaseException) -> Path | None:
    """The path of the file that was not to be opened, if an error reports that."""
    if isinstance(error, PermissionError) and (path := error.filename2 or error.filename):
        return Path(os.fsdecode(path)).absolute() if isinstance(path, str | bytes) else None
    refused = confinement.refused_path(str(error))
    return refused and refused.absolute()


def _brief(error: BaseException) -> str:
    """The type of an error and the first line of its message."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text[:_LONGEST]}".removesuffix(": ")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(_INTERRUPTED)
