"""The process of an `ingest.py`: calls its functions as `kit.ingest.process` asks, and answers with files."""

import importlib.util
import json
import os
import re
import socket
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from kit.core import KitError, is_failure
from kit.ingest.connector import connector_kinds
from kit.ingest.extraction import Extraction, Failure, missing_extra

_INTERRUPTED = 130
_NAME = re.compile(r"cannot import name '(\w+)'")


def main(descriptor: str, folder: str, name: str, temp: str) -> None:
    """Serve calls until the other side closes the socket.

    Each call and its answer are a line of JSON. Before the answer there may be questions, lines with a key `ask`, each of
    which is answered by a line with a key `reply` or, where the call is to end, `problem`; the number of `rows` is only told.
    """
    os.set_inheritable(int(descriptor), False)
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")  # dlt reports its use unless it is told not to
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    module: ModuleType | None = None
    process = os.getpid()
    with socket.socket(fileno=int(descriptor)) as channel:
        lines = channel.makefile(encoding="utf-8")

        def send(values: Any) -> None:
            if os.getpid() != process:  # a child that a function has left behind; its answer would be taken for the next one
                os._exit(0)
            channel.sendall(json.dumps(values, default=str).encode() + b"\n")

        def ask(kind: str, /, **values: Any) -> Any:
            send({"ask": kind, **values})
            if kind == "rows":
                return None
            answer = json.loads(next(lines))
            if "problem" in answer:
                raise Failure(answer["problem"])
            return answer["reply"]

        for line in lines:
            request = json.loads(line)
            try:
                module = module or _load(Path(folder, "ingest.py"), f"kit_ingest_{name}")
                answer = Extraction(module, request, Path(temp), ask).answer(request["call"])
            except Failure as failure:
                answer = failure.answer
            with suppress(AttributeError, OSError, ValueError):  # the function has closed or replaced it
                sys.stdout.flush()
            send(answer)


def _load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Failure("cannot be loaded as Python", in_file=True)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except KitError as error:
        raise Failure(str(error), error) from None
    except BaseException as error:
        if not is_failure(error):
            raise
        if isinstance(error, ImportError) and error.name == "kit.ingest.connectors" and (kind := _NAME.search(str(error))):
            problem = f"there is no connector '{kind[1]}'; there are: {', '.join(connector_kinds())}"
            raise Failure(problem, in_file=True) from None
        if remedy := missing_extra(error):
            raise Failure(f"imports {getattr(error, 'name', '')}, which is not installed; {remedy}", in_file=True) from None
        raise Failure("fails on import", error, in_file=True) from None
    return module


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(_INTERRUPTED)
