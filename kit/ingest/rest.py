"""The connector `rest`: one stream of a web API, declared in a manifest of Airbyte's low-code connectors."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from kit.core import IngestError, short
from kit.ingest.airbyte import AirbyteStream, environment_of, options_of, program_in
from kit.ingest.connector import Declaration, Environment, Origin
from kit.ingest.rest_manifest import Manifest

CDK = "airbyte-cdk==6.61.6"
"""The package with the program that reads manifests, in the version that was tested."""


@dataclass
class Rest(AirbyteStream):
    """A stream of a `manifest`, a YAML file in the domain folder, of Airbyte's declarative connectors.

    The manifest declares requests, pages, retries and the cursor of increments, and uses values of `config` and `secrets_env`
    as `{{ config['api_key'] }}`. `cdk` is the package that reads it.
    """

    manifest: str
    cdk: str = field(default=CDK, kw_only=True)
    kind: ClassVar[str] = "rest"

    def __post_init__(self) -> None:
        self.requires()  # raises IngestError
        self.check_variables()

    def requires(self) -> Environment:
        """Return the environment of this version of the library."""
        return environment_of(self.cdk)

    @classmethod
    def known_environment(cls, first: str) -> Environment | None:
        """Return the environment of the tested version."""
        return environment_of(CDK)

    def declared(self) -> Mapping[str, Any]:
        """What decides on the rows, with the content of the manifest."""
        return {**super().declared(), "manifest": hashlib.sha256(self._path().read_bytes()).hexdigest()}

    def check_declared(self) -> None:
        """Look for the manifest and the stream in it."""
        streams = Manifest(self._path()).streams
        if streams and self.stream not in streams:
            raise IngestError(f"there is no stream '{self.stream}' in {self.manifest}; there are: {', '.join(streams)}")

    def origins(self, name: str, columns: Mapping[str, str]) -> tuple[Origin, ...]:
        """Return the address of the stream at the API, without query parameters; nothing where the manifest leaves it open."""
        origin = Manifest(self._path()).origin(self.stream, self.config)
        return (replace(origin, columns=columns),) if origin else ()

    def command(self, environment: Path) -> list[str]:
        """Return the program that reads manifests."""
        return program_in(environment, "source-declarative-manifest")

    def defaults(self) -> dict[str, Any]:
        """Return the defaults of the manifest's specification."""
        return Manifest(self._path()).defaults()

    def options(self) -> Mapping[str, Path]:
        """Return the option for the manifest."""
        return {"manifest-path": self._path()}

    def _path(self) -> Path:
        path = (self.folder / self.manifest).absolute()
        if not path.is_file():
            raise IngestError(f"there is no manifest {self.manifest}; write its path relative to the domain folder")
        return path

    @classmethod
    def declare(cls, origin: str, source: str, folder: Path) -> Declaration:
        """Take `manifest.yaml?stream=orders&region=eu`; the stream is `source` without one, other options are `config`.

        The manifest is copied into the domain folder unless it is there. Its secrets are declared by variables.
        """
        name, _, options = origin.partition("?")
        given, path = Path(name).expanduser(), folder / name
        files: dict[str, Path] = {}
        if given.is_file() and not given.resolve().is_relative_to(folder.resolve()):
            files, path, name = {given.name: given}, given, given.name
        elif given.is_file():
            path, name = given, given.resolve().relative_to(folder.resolve()).as_posix()
        elif not path.is_file():
            raise IngestError(f"there is no manifest {name}, neither here nor in {short(folder)}")
        manifest = Manifest(path)
        config = options_of(options)
        stream = str(config.pop("stream", source))
        prefix = path.name.partition(".")[0]
        variables = {place: re.sub(r"\W+", "_", f"{prefix}_{place}").upper() for place in manifest.secrets}
        if missing := [item for item in manifest.required if item not in {*config, *variables}]:
            raise IngestError(
                f"{name} asks for {', '.join(missing)}; write rest:{origin}{'&' if options else '?'}{missing[0]}=…"
            )
        arguments = {"manifest": name, "stream": stream}
        more: dict[str, Any] = {"config": manifest.defaults() | config} if config else {}
        if variables:
            more["secrets_env"] = variables
        set_already = {variable: os.environ[variable] for variable in variables.values() if variable in os.environ}
        return Declaration(arguments | more, stream, set_already, files)
