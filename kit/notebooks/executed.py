"""An executed copy of an asset notebook: its run, inputs, parameters, error and cells."""

import ast
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kit.core import Config, InvalidFile, KitError, UnknownName, did_you_mean, read_json, short
from kit.mesh import assignments, tagged
from kit.notebooks.notebook_run import run_of_copy
from kit.storage import Runs, Store


@dataclass(frozen=True)
class Executed:
    """One executed copy.

    `run_id`, `port` (its full name) and `inputs` (snapshots by port) are empty for a notebook that no build ran.
    `parameters` are the values it ran with, defaults included; `given` names those that differ from the default. `error` is
    the exception of the cell that failed, empty when none did. `started` (UTC) and `seconds` are None when papermill did not
    record them.
    """

    path: Path
    notebook: Mapping[str, Any] = field(repr=False)
    run_id: str = ""
    port: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    started: datetime | None = None
    seconds: float | None = None
    error: str = ""

    @classmethod
    def read(cls, path: Path) -> "Executed":
        """Read the copy at `path` and its run file; raises `InvalidFile` for a file that is not a notebook."""
        notebook = read_json(path)
        cells = notebook.get("cells") if isinstance(notebook, dict) else None
        if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells) or notebook.get("nbformat") != 4:
            raise InvalidFile(f"{short(path)}: not a notebook of format 4; save it from JupyterLab")
        run = run_of_copy(path)
        record = notebook.get("metadata", {}).get("papermill", {})
        parameters, given = _parameters(cells)
        return cls(
            path=path,
            notebook=notebook,
            run_id=run.get("run_id", ""),
            port=f"{run['product']}.{run['port']}" if run else "",
            inputs={port: _version(run, entry["version"]) for port, entry in run.get("inputs", {}).items()},
            parameters=parameters,
            given=given,
            started=datetime.fromisoformat(record["start_time"]) if record.get("start_time") else None,
            seconds=record.get("duration"),
            error=next(_errors(cells), ""),
        )

    @property
    def title(self) -> str:
        """The full name of its port; without a build, the name of the file."""
        return self.port or self.path.stem


def source(cell: Mapping[str, Any]) -> str:
    """Return the text of a cell, which the format may store as a list of lines."""
    return "".join(cell.get("source", ""))


def _version(run: Mapping[str, Any], version: str) -> str:
    """Return the snapshot of an input, or `this run` for a port of the same build, which has none yet."""
    return "this run" if version == run.get("run_id") else version


def _parameters(cells: list[dict[str, Any]]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the values a notebook ran with, as text when not literal, and the names of those that were given."""
    values: dict[str, dict[str, Any]] = {}
    for tag in ("parameters", "injected-parameters"):
        values[tag] = {}
        with contextlib.suppress(SyntaxError):
            for item in assignments(next(tagged(cells, tag), "")):
                try:
                    values[tag][item.name] = ast.literal_eval(item.value)
                except ValueError:
                    values[tag][item.name] = ast.unparse(item.value)
    given = values["injected-parameters"]
    return values["parameters"] | given, tuple(given)


def _errors(cells: list[dict[str, Any]]) -> Iterator[str]:
    for cell in cells:
        for output in cell.get("outputs", ()):
            if output.get("output_type") == "error":
                yield f"{output.get('ename')}: {output.get('evalue')}"


_EXAMPLES = 5


def copies(config: Config, run: str) -> dict[str, Path]:
    """Return the executed copies of a run by port (and partition).

    `run` is the id of a run, a snapshot that it published, or the path of a notebook. Raises `UnknownName` for anything
    else, and for a run without notebooks, `MaskError` for a run that may show columns which are hidden today.
    """
    if run.endswith(".ipynb"):
        if not Path(run).is_file():
            raise UnknownName(f"there is no file '{run}'; give a notebook, the id of a run or a snapshot")
        return {Path(run).stem: Path(run)}
    runs = Runs(config.storage)
    folders = runs.with_notebooks()
    folder = folders.get(run) or folders.get(_run_of_snapshot(config, run))
    if folder is None:
        near = did_you_mean(get_close_matches(run, folders, n=1))
        last = ", ".join(list(folders)[:_EXAMPLES]) or "none yet"
        hint = " ".join(filter(None, (near, f"the last runs that have: {last}")))
        raise UnknownName(f"no run or snapshot '{run}' has executed notebooks; {hint}")
    Store(config.storage).refuse_exposed_run(folder.parent.parent.name, folder.parent.name)
    return {path.stem: path for path in sorted(folder.glob("*.ipynb"))}


def copy(config: Config, run: str, port: str | None) -> Path:
    """Return the executed copy of one port of a run; raises `UnknownName` when it is missing, or `port` when it is needed."""
    by_port = copies(config, run)
    name = port.rpartition(".")[2] if port and port not in by_port else port
    if name is None and len(by_port) == 1:
        return next(iter(by_port.values()))
    if name is None or name not in by_port:
        problem = f"no notebook '{port}'" if port else f"{len(by_port)} notebooks"
        raise UnknownName(f"'{run}' has {problem}; say which with --port: {', '.join(by_port)}")
    return by_port[name]


def _run_of_snapshot(config: Config, version: str) -> str:
    """Return the id of the run that published a snapshot; empty when there is no such snapshot."""
    for manifest in (config.storage / "products").glob("*/*/manifest.json"):
        if manifest.parent.name == version:
            try:
                return str(read_json(manifest)["run_id"])
            except (KitError, KeyError):
                return ""
    return ""
