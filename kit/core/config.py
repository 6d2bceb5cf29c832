"""`[tool.kit]` of pyproject.toml and the environment, read once."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from kit.core.errors import ConfigError
from kit.core.policy import Policy

MASK_KEY = "KIT_MASK_KEY"
"""The environment variable of the key that columns are masked with; no file holds it."""

_SETTINGS: dict[str, type] = {
    "storage": str,
    "as_of": date,
    "cell_timeout_seconds": int,
    "notebook_output_mb": int,
    "secrets": list,
}
_VARIABLE = re.compile(r"[A-Za-z_*][A-Za-z0-9_*]*")


@dataclass(frozen=True)
class Config:
    """Where the mesh lives and the limits it runs under.

    `as_of` is the mesh's data clock: the moment against which the age of data is measured. None means now;
    a fixed date lets a historical data set be judged as it was on that day. `secrets` are names of environment variables, or
    patterns of them. `policy` is None where there is no such table.
    """

    root: Path
    storage: Path
    as_of: date | None = None
    cell_timeout_seconds: int = 600
    notebook_output_mb: int = 20
    secrets: tuple[str, ...] = ("*_TOKEN", "*_SECRET", "*_PASSWORD", "*_API_KEY")
    mask_key: str = field(default="", repr=False)
    policy: Policy | None = None

    @classmethod
    def load(cls, root: Path | None = None, environ: Mapping[str, str] = os.environ) -> "Config":
        """Read the settings of the mesh that `root`, `KIT_ROOT` or the working directory lies in.

        A setting `name` can be overridden by the environment variable `KIT_NAME`. Raises `ConfigError`.
        """
        root = _find_root(root or Path(environ.get("KIT_ROOT") or Path.cwd()))
        with (root / "pyproject.toml").open("rb") as file:
            given: dict[str, Any] = tomllib.load(file)["tool"]["kit"]
        policy = Policy.of(given.pop("policy")) if "policy" in given else None
        for name in given:
            if name not in _SETTINGS:
                raise ConfigError(
                    f"pyproject.toml: [tool.kit] has no setting '{name}'; there are: {', '.join([*_SETTINGS, 'policy'])}"
                )
        settings: dict[str, Any] = {}
        for name, kind in _SETTINGS.items():
            variable = f"KIT_{name.upper()}"
            if environ.get(variable):
                settings[name] = _parse(variable, environ[variable], kind)
            elif name in given:
                settings[name] = _check(f"pyproject.toml: [tool.kit] {name}", given[name], kind)
        settings["storage"] = root / Path(settings.get("storage", ".mesh")).expanduser()
        return cls(root=root, mask_key=environ.get(MASK_KEY, ""), policy=policy, **settings)

    @property
    def domains(self) -> Path:
        """The folder that holds one folder per data product."""
        return self.root / "domains"

    @property
    def cache(self) -> Path:
        """The folder of what can be had again at any time and is kept only to save time."""
        return self.storage / "cache"

    def clock(self) -> datetime:
        """The moment data is judged at: the start of `as_of`, or now; UTC without zone."""
        return datetime.combine(self.as_of, time.min) if self.as_of else datetime.now(UTC).replace(tzinfo=None)


def _find_root(start: Path) -> Path:
    for folder in (start.resolve(), *start.resolve().parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            try:
                tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool")
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise ConfigError(f"{file}: not valid TOML: {error}") from None
            if isinstance(tool, dict) and "kit" in tool:
                if not isinstance(tool["kit"], dict):
                    raise ConfigError(f"{file}: [tool.kit] is {tool['kit']!r}; it must be a table of settings")
                return folder
    raise ConfigError(
        f"no data mesh found in {start} or above it; go into a clone (its pyproject.toml has a [tool.kit] table) "
        "or set KIT_ROOT to one"
    )


def _check(name: str, value: Any, kind: type) -> Any:
    if type(value) is not kind or (isinstance(value, int) and value < 1) or value == "":
        raise ConfigError(f"{name} is {value!r}; it must be {_allowed(kind)}")
    if not isinstance(value, list):
        return value
    if not all(isinstance(item, str) and _VARIABLE.fullmatch(item) for item in value):
        raise ConfigError(f"{name} is {value!r}; it must be {_allowed(kind)}")
    return tuple(value)


def _parse(variable: str, text: str, kind: type) -> Any:
    try:
        value = date.fromisoformat(text) if kind is date else text.split(",") if kind is list else kind(text)
        return _check(variable, value, kind)
    except (ValueError, ConfigError):
        raise ConfigError(f"the environment variable {variable} is {text!r}; it must be {_allowed(kind)}") from None


def _allowed(kind: type) -> str:
    allowed = {int: "a whole number above 0", date: "a date such as 2018-01-01", list: "names of environment variables"}
    return allowed.get(kind, "text")
