"""The connector `airbyte`: one stream of a connector of Airbyte, which runs in a Python environment of its own."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from kit.core import IngestError, Secrets
from kit.ingest import json_schema
from kit.ingest.airbyte_program import Program, in_brief
from kit.ingest.connector import VARIABLE, Connector, Declaration, Environment, Origin, State, Stream

_ROWS_AT_ONCE = 10_000
_catalogs: dict[str, Sequence[Mapping[str, Any]]] = {}
"""The streams of each program and configuration that this process has asked for them: to ask takes seconds."""

_defaults: dict[str, Mapping[str, Any]] = {}
"""The defaults of the configuration of each program that this process has asked for them."""


@dataclass(kw_only=True)
class AirbyteStream(Connector):
    """A `stream` of a program that follows the Airbyte protocol, as catalogs, records and states of it.

    `config` is what the specification of the program asks for; without one its defaults count. `secrets_env` has the names of
    environment variables for values that no file may contain, by their place in the configuration: `{"credentials.api_key":
    "SHOP_KEY"}`. With a `cursor` only new rows are read, as the program defines them; `deleted` is the column that marks a
    deleted row. Columns in `as_text` are text. A call of the program ends after `timeout_seconds`.
    """

    stream: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    secrets_env: Mapping[str, str] = field(default_factory=dict)
    cursor: str | None = None
    deleted: str | None = None
    as_text: Sequence[str] = ()
    timeout_seconds: float = 3600

    def requires(self) -> Environment:
        """Return the environment of the program."""
        raise NotImplementedError

    def command(self, environment: Path) -> list[str]:
        """Return the command of the program in its environment, to which the protocol's own arguments are added."""
        raise NotImplementedError

    def defaults(self) -> dict[str, Any]:
        """Return the configuration for a source that declares none."""
        return {}

    def options(self) -> Mapping[str, Path]:
        """Return files that the program reads beside those of the protocol, by their options."""
        return {}

    def declared(self) -> Mapping[str, Any]:
        """What decides on the rows; a state belongs to one configuration."""
        return {
            "packages": self.requires().packages, "stream": self.stream, "config": self.config,
            "secrets_env": self.secrets_env, "cursor": self.cursor, "as_text": sorted(self.as_text),
        }  # fmt: skip

    def check_variables(self) -> None:
        """Raise `IngestError` for an entry of `secrets_env` that does not name a variable; it may be the secret itself."""
        for place, variable in self.secrets_env.items():
            if not isinstance(variable, str) or not VARIABLE.fullmatch(variable):
                raise IngestError(f"secrets_env['{place}'] is the name of an environment variable, such as SHOP_API_KEY")

    def secrets(self) -> Sequence[str]:
        """The variables in `secrets_env`."""
        return tuple(self.secrets_env.values())

    def check(self) -> None:
        """Let the connector check its configuration and its access."""
        for message in self._program().messages("check"):
            status = message.get("connectionStatus") or {}
            if message["type"] == "CONNECTION_STATUS" and status.get("status") != "SUCCEEDED":
                raise IngestError(self._scrubbed(str(status.get("message") or "the connector has no access")))

    def discover(self) -> Sequence[Stream]:
        """Return the streams of the connector."""
        return [self._stream(item) for item in self._catalog()]

    def describe(self) -> Stream:
        """Return the stream of this source; raises `IngestError` for one that the connector lacks, or a wrong cursor."""
        found = next((item for item in self._catalog() if item["name"] == self.stream), None)
        if found is None:
            names = ", ".join(sorted(item["name"] for item in self._catalog()))
            raise IngestError(f"there is no stream '{self.stream}'; there are: {names}")
        stream = self._stream(found)
        if self.cursor and self.cursor not in stream.cursors:
            allowed = f"; use {' or '.join(stream.cursors)}" if stream.cursors else ", which is read as a whole; leave it out"
            raise IngestError(f"'{self.cursor}' cannot be the cursor of the stream{allowed}")
        if not stream.columns:
            raise IngestError(f"the stream '{self.stream}' declares no fields, so that none of its records can be read")
        name = ".".join(filter(None, (found.get("namespace"), stream.name)))
        return replace(stream, origins=self.origins(name, stream.types))

    def origins(self, name: str, columns: Mapping[str, str]) -> tuple[Origin, ...]:
        """Return the stream `name` as a dataset of OpenLineage, whose namespace is that of the connector's package."""
        (package,) = self.requires().packages
        return (Origin(f"airbyte://{program_of(package)}", name, columns),)

    def read(self, state: Mapping[str, Any] | None) -> Iterator[Any]:
        """Yield frames, then the last state that the connector sent, as the message of the protocol."""
        columns = self.describe().columns
        found = next(item for item in self._catalog() if item["name"] == self.stream)
        catalog = {"streams": [self._configured(found)]}
        files = {"catalog": catalog} | ({"state": _state_file(state["airbyte"])} if state else {})
        last: Mapping[str, Any] | None = state and state["airbyte"]
        records: list[Mapping[str, Any]] = []
        rows = 0
        for message in self._program().messages("read", **files):
            if message["type"] == "RECORD" and message["record"].get("stream") == self.stream:
                records.append(message["record"]["data"])
                if len(records) == _ROWS_AT_ONCE:
                    yield json_schema.frame(records, columns, rows)
                    rows, records = rows + len(records), []
            elif message["type"] == "STATE" and _state_stream(message["state"]) in (self.stream, None):
                last = {name: value for name, value in message["state"].items() if not name.endswith("Stats")}
        if records or not rows:
            yield json_schema.frame(records, columns, rows)
        if self.cursor and last is not None:
            if name := self._secrets().found_in(json.dumps(last)):
                raise IngestError(f"its state contains the value of {name}, and would be in the manifest; leave out the cursor")
            yield State({"airbyte": last})

    def _program(self) -> Program:
        if self.environment is None:
            raise IngestError("its environment has not been made")
        config, secrets = self._configuration(), self._secrets()
        return Program(self.command(self.environment), config, secrets, self.timeout_seconds, self.options())

    def _configuration(self) -> dict[str, Any]:
        """The configuration with the values of secrets; raises `IngestError` for a variable that is not set."""
        config: dict[str, Any] = json.loads(json.dumps(self.config)) or self.defaults()
        for place, variable in self.secrets_env.items():
            if not (value := os.environ.get(variable)):
                raise IngestError(f"the environment variable {variable} is not set; set it to the value of '{place}'")
            *parents, name = place.split(".")
            target = config
            for parent in parents:
                target = target.setdefault(parent, {})
            target[name] = value
        return config

    def _secrets(self) -> Secrets:
        return Secrets({name: value for name in self.secrets() if (value := os.environ.get(name))})

    def _scrubbed(self, text: str) -> str:
        return str(self._secrets().scrubbed(in_brief(text))).partition("\n")[0].strip().strip("'\".")

    def _catalog(self) -> Sequence[Mapping[str, Any]]:
        program = self._program()
        known = json.dumps([program.command, program.config], sort_keys=True)
        if known not in _catalogs:
            found = [item["catalog"]["streams"] for item in program.messages("discover") if item["type"] == "CATALOG"]
            if not found:
                raise IngestError("it has no catalog of its streams")
            _catalogs[known] = found[-1]
        return _catalogs[known]

    def _stream(self, item: Mapping[str, Any]) -> Stream:
        as_text = self.as_text if item["name"] == self.stream else ()
        columns = json_schema.columns(item["json_schema"], as_text)
        # A path to a field inside of an object is no column; a part of a key identifies no row.
        paths = list(item.get("source_defined_primary_key") or ())
        key = [path[0] for path in paths] if all(len(path) == 1 for path in paths) else []
        cursors = list(item.get("default_cursor_field") or ())
        cursors = cursors if len(cursors) == 1 else []
        if "incremental" not in (item.get("supported_sync_modes") or ()):
            cursors = []
        elif not item.get("source_defined_cursor"):
            cursors += [column.name for column in columns if column.type.startswith(("timestamp", "date", "bigint"))]
        return Stream(str(item["name"]), columns, tuple(key), tuple(dict.fromkeys(cursors)))

    def _configured(self, item: Mapping[str, Any]) -> dict[str, Any]:
        mode = "incremental" if self.cursor else "full_refresh"
        key = item.get("source_defined_primary_key") or []
        return {
            "stream": item, "sync_mode": mode, "destination_sync_mode": "append", "primary_key": key,
            "cursor_field": [self.cursor] if self.cursor else [],
        }  # fmt: skip


@dataclass
class Airbyte(AirbyteStream):
    """A stream of the connector `package`, such as `source-faker==7.2.1`, which PyPI has as `airbyte-source-faker`."""

    package: str
    kind: ClassVar[str] = "airbyte"

    def __post_init__(self) -> None:
        self.requires()  # raises IngestError
        self.check_variables()

    def requires(self) -> Environment:
        """Return the environment of this version of the package."""
        return environment_of(self.package)

    @classmethod
    def known_environment(cls, first: str) -> Environment | None:
        """Return the environment of a package."""
        return environment_of(first)

    def command(self, environment: Path) -> list[str]:
        """Return the program that the package installs, which has its name."""
        (package,) = self.requires().packages
        return program_in(environment, program_of(package))

    def defaults(self) -> dict[str, Any]:
        """Return the defaults of the connector's specification."""
        if self.environment is None:
            return {}
        command = self.command(self.environment)
        if (known := json.dumps(command)) not in _defaults:
            program = Program(command, {}, Secrets({}), self.timeout_seconds)
            found = [item["spec"]["connectionSpecification"] for item in program.messages("spec") if item["type"] == "SPEC"]
            properties = (found[-1].get("properties") or {}) if found else {}
            _defaults[known] = {name: item["default"] for name, item in properties.items() if "default" in item}
        return dict(_defaults[known])

    @classmethod
    def declare(cls, origin: str, source: str, folder: Path) -> Declaration:
        """Take `source-faker==7.2.1?stream=users&count=100`; the stream is `source` without one, other options are `config`."""
        package, _, options = origin.partition("?")
        environment_of(package)
        config = options_of(options)
        stream = str(config.pop("stream", source))
        return Declaration({"package": package, "stream": stream, **({"config": config} if config else {})}, stream)


def options_of(query: str) -> dict[str, Any]:
    """Return the options behind the `?` of an origin."""
    return {name: _json(value) for name, value in parse_qsl(query)}


def _json(text: str) -> Any:
    """A value as JSON where it is a number or a boolean, else the text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


def environment_of(package: str) -> Environment:
    """Return the environment of a connector's package; raises `IngestError` for one without an exact version."""
    name = f"airbyte-{package}" if package.startswith("source-") else package
    folder = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")
    return Environment(folder or "airbyte", (name,))


def program_of(package: str) -> str:
    """Return the program that a package with its version installs, such as `source-faker`."""
    return package.partition("==")[0].partition("[")[0].removeprefix("airbyte-")


def program_in(environment: Path, program: str) -> list[str]:
    """Return the command of a program; its own first line is not used, where a long path would not fit."""
    return [str(environment / "bin/python"), str(environment / "bin" / program)]


def _state_stream(state: Mapping[str, Any]) -> str | None:
    """The stream that a state belongs to; None for one of the first protocol, and for one of all streams."""
    found = ((state.get("stream") or {}).get("stream_descriptor") or {}).get("name")
    return found if state.get("type") == "STREAM" else None


def _state_file(message: Mapping[str, Any]) -> Any:
    """The file of a state: that of a connector of the first protocol is its data alone."""
    return message.get("data") if message.get("type", "LEGACY") == "LEGACY" else [message]
