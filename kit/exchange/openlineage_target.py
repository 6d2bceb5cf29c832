"""The server that gets OpenLineage events: the variables of the standard client, and the paths of known servers."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.core import KitError
from kit.exchange import web

URL, ENDPOINT, API_KEY, NAMESPACE, DISABLED = (
    f"OPENLINEAGE_{name}" for name in ("URL", "ENDPOINT", "API_KEY", "NAMESPACE", "DISABLED")
)


@dataclass(frozen=True)
class Preset:
    """A known server: the path of its interface below its address, and the kinds of events it uses; all when empty.

    `below` is the path that the address of one of several servers has, as a hint.
    """

    path: str
    kinds: tuple[str, ...] = ()
    below: str = ""


PRESETS: Mapping[str, Preset] = {
    "marquez": Preset("api/v1/lineage"),
    "datahub": Preset("openapi/openlineage/api/v1/lineage"),
    "openmetadata": Preset("api/v1/openlineage/lineage", ("COMPLETE",)),
    "egeria": Preset("open-metadata/integration-daemon/publish-open-lineage-event", below="/servers/"),
}
"""Servers by name; `marquez` is also the path that every client uses without a setting."""


class Refused(KitError):
    """A server will not take an event, and none that is like it."""


@dataclass(frozen=True)
class Target:
    """Where events go; `kinds` are the types of events that are sent, all when empty."""

    url: str
    key: str = field(default="", repr=False)
    kinds: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Target | None":
        """Return the server of `OPENLINEAGE_URL` and its siblings; None without one. Raises `KitError` for a wrong address."""
        if is_disabled(environ) or not environ.get(URL):
            return None
        path = environ.get(ENDPOINT) or PRESETS["marquez"].path
        return cls(f"{web.address(environ[URL], URL)}/{path.lstrip('/')}", environ.get(API_KEY, ""))

    @classmethod
    def from_preset(cls, url: str, preset: str | None, environ: Mapping[str, str] = os.environ) -> "Target":
        """Return a known server at an address; without `preset` the path is that of `OPENLINEAGE_ENDPOINT` or the usual one.

        Raises `KitError` for an unknown name or a wrong address.
        """
        known = PRESETS.get(preset or "marquez")
        if known is None:
            raise KitError(f"there is no preset '{preset}'; there are: {', '.join(PRESETS)}")
        base = web.address(url, "--to")
        if known.below and known.below not in base:
            raise KitError(
                f"--to is '{base}', which names no integration daemon of {preset}; write {base}{known.below}NAME with the name "
                "of the server that runs it"
            )
        path = known.path if preset else environ.get(ENDPOINT) or known.path
        return cls(f"{base}/{path.lstrip('/')}", environ.get(API_KEY, ""), known.kinds)

    def takes(self, event: Mapping[str, Any]) -> bool:
        """Return whether the server uses events of this type."""
        return not self.kinds or event["eventType"] in self.kinds

    def send(self, event: Mapping[str, Any], seconds: float | None = None) -> None:
        """Send one event, within `seconds`, or with patience where that is None.

        Raises `Unreachable` when the server may take it later, `Refused` when it never will.
        """
        if seconds is None:
            answer = web.patient_request("POST", self.url, event, token=self.key)
        else:
            answer = web.request("POST", self.url, event, token=self.key, seconds=seconds)
        if 200 <= answer.status < 300:
            return
        if answer.status in (401, 403):
            raise web.Unreachable(f"it answers {answer.status} to the key in {API_KEY}" if self.key else
                                  f"it answers {answer.status}: set {API_KEY}")  # fmt: skip
        if answer.passes or answer.status in (301, 302, 303, 307, 308, 404, 405):
            raise web.Unreachable(f"it answers {answer.reason}")
        raise Refused(f"it answers {answer.reason}")


def namespace(environ: Mapping[str, str] = os.environ) -> str:
    """Return the namespace of jobs and datasets."""
    return environ.get(NAMESPACE) or "default"


def is_disabled(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether events are neither written nor sent."""
    return environ.get(DISABLED, "").strip().lower() == "true"
