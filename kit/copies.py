"""Finding the executed copies of a run, by whatever name a person has for it."""

from difflib import get_close_matches
from pathlib import Path

from kit.config import Config
from kit.errors import KitError, UnknownName
from kit.files import read_json
from kit.runs import Runs

_NAMED = 5


def copies(config: Config, run: str) -> dict[str, Path]:
    """The executed copies of a run by the name of the port (and partition) each made.

    `run` is the id of a run, a snapshot that came from one, or the path of a notebook. Raises `UnknownName` for what is none
    of them, or a run without notebooks.
    """
    if run.endswith(".ipynb"):
        if not Path(run).is_file():
            raise UnknownName(f"there is no file '{run}'; give a notebook, the id of a run or a snapshot")
        return {Path(run).stem: Path(run)}
    runs = Runs(config.storage)
    folders = runs.with_notebooks()
    found = folders.get(run) or folders.get(_run_of(config, run))
    if found is None:
        near = get_close_matches(run, folders, n=1)
        last = ", ".join(list(folders)[:_NAMED]) or "none yet"
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UnknownName(f"no run or snapshot '{run}' has executed notebooks.{hint} The last runs that have: {last}")
    return {path.stem: path for path in sorted(found.glob("*.ipynb"))}


def copy(config: Config, run: str, port: str | None) -> Path:
    """The executed copy of one port of a run; raises `UnknownName` when it is not there, or not the only one."""
    found = copies(config, run)
    name = port.rpartition(".")[2] if port and port not in found else port
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name is None or name not in found:
        problem = f"no notebook '{port}'" if port else f"{len(found)} notebooks"
        raise UnknownName(f"'{run}' has {problem}; say which with --port: {', '.join(found)}")
    return found[name]


def _run_of(config: Config, version: str) -> str:
    """The run a snapshot came from; empty when there is no such snapshot."""
    for manifest in (config.storage / "products").glob("*/*/manifest.json"):
        if manifest.parent.name == version:
            try:
                return str(read_json(manifest)["run_id"])
            except (KitError, KeyError):
                return ""
    return ""
