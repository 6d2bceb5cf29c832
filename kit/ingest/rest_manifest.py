"""Manifests of Airbyte's low-code connectors, as far as the kit reads them: the names of streams, and where they come from."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from kit.core import IngestError, compose_yaml, mappings, read_text
from kit.ingest.connector import Origin

_TEMPLATE = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_LOOKUP = re.compile(r"(config|parameters)(?:\.|\[\s*['\"])(\w+)(?:['\"]\s*\])?")
_MOST_REFERENCES = 20


class Manifest:
    """The manifest in a file; raises `IngestError` when it is none, or cannot be read."""

    def __init__(self, path: Path) -> None:
        try:
            text = read_text(path)
            compose_yaml(text)  # limits the depth
            self._data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            raise IngestError(f"{path.name} is no YAML{f', in line {mark.line + 1}' if mark else ''}") from None
        if not isinstance(self._data, dict) or not isinstance(self._data.get("streams"), list):
            raise IngestError(f"{path.name} has no list of streams; write a manifest of Airbyte's declarative connectors")

    @property
    def streams(self) -> tuple[str, ...]:
        """The names of its streams; empty when it has dynamic ones, which only the system knows."""
        if self._data.get("dynamic_streams"):
            return ()
        return tuple(str(stream.get("name") or _parameters(stream).get("name")) for stream in self._streams())

    @property
    def secrets(self) -> tuple[str, ...]:
        """The places of secret values in the configuration, such as `credentials.token`."""
        return tuple(_secrets(self._specification()))

    @property
    def required(self) -> tuple[str, ...]:
        """The values that the configuration must have, without those with a default and those that contain secrets."""
        specification = self._specification()
        properties, secret = _by_name(specification.get("properties")), {place.partition(".")[0] for place in self.secrets}
        names = specification.get("required") or ()
        return tuple(name for name in names if name not in secret and "default" not in properties.get(name, {}))

    def defaults(self) -> dict[str, Any]:
        """Return the values of the configuration that have a default."""
        properties = _by_name(self._specification().get("properties"))
        return {name: item["default"] for name, item in properties.items() if "default" in item}

    def _specification(self) -> dict[str, Any]:
        specification = (self._data.get("spec") or {}).get("connection_specification")
        return specification if isinstance(specification, dict) else {}

    def origin(self, name: str, config: Mapping[str, Any]) -> Origin | None:
        """Return a stream as a dataset, the host of its API and its path there; None where the manifest leaves the host open.

        Of `config` the values are inserted; other values that a path depends on are names in braces.
        """
        stream = next((item for item in self._streams() if name in (item.get("name"), _parameters(item).get("name"))), None)
        if stream is None:
            return None
        retriever = self._resolved(stream.get("retriever"))
        requester = self._resolved(retriever.get("requester"))
        parameters = _parameters(stream) | _parameters(retriever) | _parameters(requester)
        base = _filled(requester.get("url_base") or requester.get("url"), config, parameters)
        path = _filled(requester.get("path") or parameters.get("path"), config, parameters)
        address = urlsplit("/".join(filter(None, (base.rstrip("/"), path.lstrip("/")))))
        host = address.netloc.rpartition("@")[2]
        if address.scheme not in ("http", "https") or not host or "{" in host:
            return None
        return Origin(f"{address.scheme}://{host}", address.path or "/")

    def _streams(self) -> list[dict[str, Any]]:
        return mappings([self._resolved(stream) for stream in self._data["streams"]])

    def _resolved(self, value: Any) -> dict[str, Any]:
        """A component without references, `"#/definitions/x"` or `{$ref: "#/definitions/x"}`; empty when it is none."""
        own: dict[str, Any] = {}
        for _ in range(_MOST_REFERENCES):
            reference = value
            if isinstance(value, dict):
                own, reference = {**value, **own}, value.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#/"):
                return own
            value = self._data
            for part in reference.removeprefix("#/").split("/"):
                value = value.get(part) if isinstance(value, dict) else None
            own.pop("$ref", None)
        return own


def _by_name(value: object) -> dict[str, dict[str, Any]]:
    """The entries of a mapping that are mappings."""
    return {str(name): item for name, item in value.items() if isinstance(item, dict)} if isinstance(value, dict) else {}


def _secrets(specification: Mapping[str, Any]) -> Iterator[str]:
    for name, item in _by_name(specification.get("properties")).items():
        if item.get("airbyte_secret"):
            yield name
        else:
            yield from (f"{name}.{place}" for place in _secrets(item))


def _parameters(component: Mapping[str, Any]) -> dict[str, Any]:
    found = component.get("$parameters")
    return found if isinstance(found, dict) else {}


def _filled(text: object, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """A text with the values of its templates, with a name in braces for what is not known."""

    def value(match: re.Match[str]) -> str:
        lookup = _LOOKUP.fullmatch(match[1])
        known = (config if lookup[1] == "config" else parameters).get(lookup[2]) if lookup else None
        last = re.findall(r"\w+", match[1])
        return str(known) if known is not None else f"{{{last[-1] if last else ''}}}"

    return _TEMPLATE.sub(value, _TEMPLATE.sub(value, text)) if isinstance(text, str) else ""  # a parameter may have some
