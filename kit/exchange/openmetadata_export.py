"""`kit export openmetadata`: sends the mesh to a server of OpenMetadata, in order and so that repeating it changes nothing."""

import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from kit.core import KitError, each_text
from kit.exchange import web
from kit.exchange.openlineage_export import export_openlineage
from kit.exchange.openmetadata import Call, summary
from kit.mesh import Context

_ID = re.compile(r"\{([^{}]+)\}")


def export_openmetadata(
    context: Context, calls: list[Call], server: str, token_env: str, *, warn: Callable[[str], None]
) -> str:
    """Send requests to the server at an address, with the token in the environment variable `token_env`, and then the events.

    The events are those of `COMPLETE` of the current snapshots. Returns what was sent. Raises `KitError` when there is no
    token, the server does not answer, or it refuses a request; what was sent before stays, and another run goes over it again.
    """
    token = os.environ.get(token_env, "")
    if not token:
        raise KitError(f"{token_env} is not set; put the token of a bot of OpenMetadata in it, or name another variable")
    base = web.address(server, "--server")
    sender = _Sender(f"{base}/api/v1", token, token_env)
    for call in calls:
        sender.send(call)
    events = export_openlineage(context, base, "openmetadata", every_run=False, warn=warn, token=token)
    return f"{summary(calls)} sent to {base}; {events}"


class _Sender:
    """Sends requests and keeps the ids of the entities that they made."""

    def __init__(self, base: str, token: str, token_env: str) -> None:
        self.base, self.token, self.token_env = base, token, token_env
        self.ids: dict[str, str] = {}

    def send(self, call: Call) -> None:
        answer = self._request(call.method, self._with_ids(call.path), each_text(call.value, self._with_ids))
        if answer.status == 409 and call.makes:  # somebody else has just made it
            answer = self._request("GET", f"{call.path}/name/{quote(call.makes, safe='')}")
        if not 200 <= answer.status < 300:
            raise KitError(f"{self.base} refuses {call.method} {call.path} of {call.makes or 'it'}: {answer.reason}")
        made: Any = answer.json()
        if call.makes and isinstance(made, dict) and made.get("id"):
            self.ids[call.makes] = str(made["id"])

    def _request(self, method: str, path: str, value: Any = None) -> web.Answer:
        try:
            answer = web.patient_request(method, f"{self.base}/{path}", value, token=self.token)
        except web.Unreachable as error:
            raise KitError(f"{self.base}: {error}; run the command again") from None
        if answer.status in (401, 403):
            raise KitError(f"{self.base} answers {answer.status} to the token in {self.token_env}; use that of a bot or admin")
        return answer

    def _with_ids(self, text: str) -> str:
        return _ID.sub(lambda match: self.ids.get(match[1], match[0]), text)
