"""What may be sent to a model: rows of a port go to an endpoint only if the contract of the port allows it."""

from collections.abc import Iterable
from dataclasses import dataclass

from kit.contracts import MODEL_ENDPOINTS, ModelEndpoints
from kit.core import ModelSettings


@dataclass(frozen=True)
class SentPort:
    """A port whose rows may be in a prompt: those of one partition, all when `key` is None.

    `endpoints` is None where no contract is known. `unmasked` are columns that are read before the masks of the port apply.
    """

    id: str
    endpoints: ModelEndpoints | None
    key: str | None = None
    unmasked: tuple[str, ...] = ()


def refusal(settings: ModelSettings, ports: Iterable[SentPort]) -> str:
    """Return why rows of these ports must not be sent to a model; empty when they may, and for committed answers."""
    if settings.answers:
        return ""
    for port in ports:
        if port.unmasked:
            return (
                f"'{port.id}' is read before its masks apply to {', '.join(port.unmasked)}; mask them in the contract of the "
                "source, or let another product ask"
            )
        if port.endpoints is None:
            return f"'{port.id}' has no contract that allows {settings.base_url}"
        if not port.endpoints.allows(settings.base_url, port.key):
            rows = f" for '{port.key}'" if port.key is not None and port.endpoints.by_key else ""
            return (
                f"the contract of '{port.id}' does not allow {settings.base_url}{rows}; its owner decides on that with the "
                f"custom property {MODEL_ENDPOINTS}"
            )
    return ""
