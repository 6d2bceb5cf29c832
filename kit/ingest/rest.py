"""The connector `rest`: one stream of a web API, declared in a manifest of Airbyte's low-code connectors."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from kit.core import IngestError
from kit.ingest.airbyte import AirbyteStream, environment_of, program_in, stream_arguments
from kit.ingest.connector import Declaration, Environment

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

    def command(self, environment: Path) -> list[str]:
        """Return the program that reads manifests."""
        return program_in(environment, "source-declarative-manifest")

    def options(self) -> Mapping[str, Path]:
        """Return the option for the manifest."""
        return {"manifest-path": self._path()}

    def _path(self) -> Path:
        path = (self.folder / self.manifest).absolute()
        if not path.is_file():
            raise IngestError(f"there is no manifest {self.manifest}; write its path relative to the domain folder")
        return path

    @classmethod
    def declare(cls, origin: str, source: str) -> Declaration:
        """Take `manifest.yaml?stream=orders&shop=7&secrets_env.api_key=SHOP_API_KEY`, see `stream_arguments`."""
        manifest, _, options = origin.partition("?")
        arguments = stream_arguments(options, source)
        return Declaration({"manifest": manifest, **arguments}, arguments["stream"])
