"""Settings of a mesh: `[tool.kit]` of its pyproject.toml and environment variables."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from kit.core.calling_notebook import calling_notebook
from kit.core.errors import ConfigError
from kit.core.mask_key import mask_key
from kit.core.model_settings import ModelSettings
from kit.core.policy import Policy


class _Size(int):
    """A number of bytes, which is written with a unit."""


_SETTINGS: dict[str, type] = {
    "storage": str,
    "as_of": date,
    "cell_timeout_seconds": int,
    "source_timeout_seconds": int,
    "notebook_output_mb": int,
    "keep_runs": int,
    "keep_snapshots": int,
    "iceberg": bool,
    "reader_grace_minutes": int,
    "postgres_dsn_env": str,
    "parallel_builds": int,
    "worker_idle_minutes": int,
    "secrets": list,
    "memory_limit": _Size,
    "threads": int,
    "spill_folder": str,
}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT]i?)?B", re.IGNORECASE)
_LEAST_MB = 100
"""DuckDB cannot join or sort within less memory."""
_MAY_BE_ZERO = ("reader_grace_minutes",)
_SWITCH = {"true": True, "false": False}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_VARIABLE = re.compile(r"[A-Za-z_*][A-Za-z0-9_*]*")


@dataclass(frozen=True)
class Config:
    """Folders and limits of one mesh.

    `as_of` is the data clock: the day against which the age of data is measured, for data sets that end in the past. None
    means now. `secrets` are names of environment variables, or patterns of them. `policy` is None without such a table.
    `keep_runs` and `keep_snapshots` are numbers for each product; snapshots are kept for ever without the latter. With
    `iceberg` every port is an Iceberg table too. For `reader_grace_minutes` after it ceased to be current a snapshot is not
    deleted, for readers without the kit. `postgres_dsn_env` names the environment variable with the address of a database that
    publications are pushed to. `memory_limit` (bytes), `threads` and `spill_folder` are those of DuckDB; None stands for what
    the machine allows and for a folder in the storage, see `kit.core.resources`. `parallel_builds` products are built at the
    same time at most, None stands for what cores and memory allow. The worker, which has imported what builds need, ends
    after `worker_idle_minutes` without one. A source may be read for `source_timeout_seconds`. `models` are language models by
    name; the variables of their keys are secrets.
    """

    root: Path
    storage: Path
    as_of: date | None = None
    cell_timeout_seconds: int = 600
    notebook_output_mb: int = 20
    keep_runs: int = 100
    keep_snapshots: int | None = None
    iceberg: bool = False
    reader_grace_minutes: int = 15
    postgres_dsn_env: str = ""
    parallel_builds: int | None = None
    worker_idle_minutes: int = 10
    secrets: tuple[str, ...] = ("*_TOKEN", "*_SECRET", "*_PASSWORD", "*_API_KEY", "*_DSN")
    memory_limit: int | None = None
    threads: int | None = None
    spill_folder: Path | None = None
    source_timeout_seconds: int = 86_400
    mask_key: str = field(default="", repr=False)
    policy: Policy | None = None
    models: Mapping[str, ModelSettings] = field(default_factory=dict)

    @classmethod
    def load(cls, root: Path | None = None, environ: Mapping[str, str] = os.environ) -> "Config":
        """Read the settings of the mesh that contains `root`, else `KIT_ROOT`, the calling notebook, the working directory.

        The environment variable `KIT_NAME` overrides the setting `name`. Raises `ConfigError` when there is no mesh, or a
        setting is unknown or wrong.
        """
        root = _find_root(root or _start(environ))
        with (root / "pyproject.toml").open("rb") as file:
            table: dict[str, Any] = tomllib.load(file)["tool"]["kit"]
        policy = Policy.from_settings(table.pop("policy")) if "policy" in table else None
        models = ModelSettings.from_settings(root, table.pop("models", {}))
        for name in table:
            if name not in _SETTINGS:
                known = ", ".join([*_SETTINGS, "policy", "models"])
                raise ConfigError(f"pyproject.toml: [tool.kit] has no setting '{name}'; there are: {known}")
        settings = read_settings(table, environ)
        keys = [model.key_env for model in models.values() if model.key_env]
        settings["secrets"] = tuple(dict.fromkeys((*settings.get("secrets", cls.secrets), *keys)))
        settings["storage"] = _folder(root, settings.get("storage", ".mesh"), "storage")
        if "spill_folder" in settings:
            settings["spill_folder"] = _folder(root, settings["spill_folder"], "spill folder")
        return cls(root=root, mask_key=mask_key(environ), policy=policy, models=models, **settings)

    @property
    def domains(self) -> Path:
        """The folder with one folder per data product."""
        return self.root / "domains"

    @property
    def dagster_home(self) -> Path:
        """The folder of Dagster's configuration and history."""
        return self.storage / "dagster"

    @property
    def cache(self) -> Path:
        """The folder of files that can be deleted at any time and are rebuilt when needed."""
        return self.storage / "cache"

    def clock(self) -> datetime:
        """Return the moment against which data is judged: the start of `as_of`, or now; UTC without a time zone."""
        return datetime.combine(self.as_of, time.min) if self.as_of else datetime.now(UTC).replace(tzinfo=None)


def read_settings(table: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings in a table and in environment variables, which override it, as far as there are any.

    Raises `ConfigError` for one that is wrong.
    """
    settings: dict[str, Any] = {}
    for name, kind in _SETTINGS.items():
        variable, least = f"KIT_{name.upper()}", 0 if name in _MAY_BE_ZERO else 1
        if environ.get(variable):
            settings[name] = _parse(variable, environ[variable], kind, least)
        elif name in table:
            settings[name] = _check(f"pyproject.toml: [tool.kit] {name}", table[name], kind, least)
    return settings


def _folder(root: Path, text: str, what: str) -> Path:
    """Return the folder that a setting names; raises `ConfigError` for a URL and for what cannot be a folder."""
    allowed = "write the path of a folder, such as .mesh or /mnt/mesh"
    if scheme := _SCHEME.match(text):
        raise ConfigError(
            f"the {what} is {text!r}, and the kit has no storage for '{scheme[0]}' addresses; {allowed}; "
            f"mount an object store as a folder, or write ./{text} for a folder of that name"
        )
    try:
        path = root / Path(text).expanduser()
        with suppress(FileNotFoundError):
            path.stat()
        if path.exists() and not path.is_dir():
            raise ConfigError(f"the {what} {path} is no folder; {allowed}")
    except (OSError, RuntimeError, ValueError) as error:  # a name that is too long, an unknown user after `~`, a NUL
        problem = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"the {what} {text!r} cannot be a folder: {problem}; {allowed}") from None
    return path


def _start(environ: Mapping[str, str]) -> Path:
    if root := environ.get("KIT_ROOT"):
        return Path(root)
    notebook = calling_notebook()
    return notebook.parent if notebook and _mesh_above(notebook.parent) else Path.cwd()


def _find_root(start: Path) -> Path:
    if root := _mesh_above(start):
        return root
    raise ConfigError(
        f"no data mesh found in {start} or above it; go into a clone (its pyproject.toml has a [tool.kit] table) "
        "or set KIT_ROOT to one"
    )


def _mesh_above(start: Path) -> Path | None:
    for folder in (start.resolve(), *start.resolve().parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            try:
                tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool")
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise ConfigError(f"{file}: not valid TOML: {error}") from None
            except OSError as error:
                raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
            if isinstance(tool, dict) and "kit" in tool:
                if not isinstance(tool["kit"], dict):
                    raise ConfigError(f"{file}: [tool.kit] is {tool['kit']!r}; it must be a table of settings")
                return folder
    return None


def _check(name: str, value: Any, kind: type, least: int) -> Any:
    if kind is _Size:
        size = _bytes(value)
        if size is None:
            raise ConfigError(f"{name} is {value!r}; it must be {_allowed(kind, least)}")
        return size
    if type(value) is not kind or (type(value) is int and value < least) or value == "":
        raise ConfigError(f"{name} is {value!r}; it must be {_allowed(kind, least)}")
    if not isinstance(value, list):
        return value
    if not all(isinstance(item, str) and _VARIABLE.fullmatch(item) for item in value):
        raise ConfigError(f"{name} is {value!r}; it must be {_allowed(kind, least)}")
    return tuple(value)


def _parse(variable: str, text: str, kind: type, least: int) -> Any:
    try:
        readers: dict[type, Callable[[str], Any]] = {
            date: date.fromisoformat, list: lambda text: text.split(","), bool: _SWITCH.__getitem__, _Size: str,
        }  # fmt: skip
        value = readers.get(kind, kind)(text)
        return _check(variable, value, kind, least)
    except (ValueError, KeyError, ConfigError):
        raise ConfigError(f"the environment variable {variable} is {text!r}; it must be {_allowed(kind, least)}") from None


def _bytes(value: Any) -> int | None:
    """Return the number of bytes that a text names; None for another text, and for less than DuckDB needs."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    unit = (match[2] or "").upper()
    size = int(float(match[1]) * (1024 if unit.endswith("I") else 1000) ** (" KMGT".index(unit[0]) if unit else 0))
    return size if size >= _LEAST_MB * 1_000_000 else None


def _allowed(kind: type, least: int) -> str:
    allowed = {
        _Size: f'a size of at least {_LEAST_MB} MB, such as "4GB" or "800MiB"',
        int: "a whole number above 0" if least else "a whole number, at least 0",
        date: "a date such as 2018-01-01",
        list: "names of environment variables",
        bool: "true or false",
    }
    return allowed.get(kind, "text")
