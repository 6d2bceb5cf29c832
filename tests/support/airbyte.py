"""A small program of the Airbyte protocol for tests, in the place of one that an environment would have.

It answers by the file `script.json` in its environment: for each call a list of lines, each a message or a text; for all but
`discover` also `exit`, `stderr` and `sleep`. It notes its calls, with the files it was given, in `calls.jsonl`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.support.files import write

_PROGRAM = """
import json, os, sys, time
from pathlib import Path
home = Path(__file__).parents[1]
call, options = sys.argv[1], dict(zip(sys.argv[2::2], sys.argv[3::2]))
script = json.loads((home / "script.json").read_text())
files = {name[2:]: json.loads(Path(path).read_text()) for name, path in options.items() if path.endswith(".json")}
modes = sorted({oct(Path(path).stat().st_mode & 0o777) for path in options.values() if path.endswith(".json")})
with (home / "calls.jsonl").open("a") as log:
    log.write(json.dumps({"call": call, "modes": modes, "variables": sorted(os.environ), "pid": os.getpid(), **files}) + "\\n")
for line in script.get(call, []):
    print(line if isinstance(line, str) else json.dumps(line), flush=True)
if call in ("discover", "spec"):
    sys.exit()
print(script.get("stderr", ""), file=sys.stderr)
time.sleep(script.get("sleep", 0))
sys.exit(script.get("exit", 0))
"""

ORDERS = {
    "name": "orders",
    "json_schema": {
        "properties": {"id": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}, "data": {"type": "object"}}
    },
    "supported_sync_modes": ["full_refresh", "incremental"],
    "source_defined_cursor": True,
    "default_cursor_field": ["at"],
    "source_defined_primary_key": [["id"]],
}
CATALOG = {"type": "CATALOG", "catalog": {"streams": [ORDERS, {"name": "tags", "json_schema": {}}]}}


def record(**data: Any) -> dict[str, Any]:
    """A record of the stream `orders`."""
    return {"type": "RECORD", "record": {"stream": "orders", "data": data, "emitted_at": 0}}


def state(at: str) -> dict[str, Any]:
    """A state of the stream `orders`."""
    stream = {"stream_descriptor": {"name": "orders"}, "stream_state": {"at": at}}
    return {"type": "STATE", "state": {"type": "STREAM", "stream": stream, "sourceStats": {"recordCount": 1.0}}}


def error(message: str, **more: Any) -> dict[str, Any]:
    """An error as a trace."""
    return {"type": "TRACE", "trace": {"type": "ERROR", "error": {"message": message, **more}}}


def install(environment: Path, program: str = "source-tiny") -> Path:
    """Write the program into an environment, whose Python is that of the tests; return the environment."""
    write(environment / "bin" / program, _PROGRAM)
    write(environment / "bin/python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (environment / "bin/python").chmod(0o755)
    return environment


def script(environment: Path, **answers: Any) -> None:
    """Write what the program answers."""
    write(environment / "script.json", json.dumps({"discover": [CATALOG], **answers}))


def calls(environment: Path) -> list[dict[str, Any]]:
    """The calls of the program so far."""
    return [json.loads(line) for line in (environment / "calls.jsonl").read_text().splitlines()]
