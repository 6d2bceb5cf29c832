"""`kit export openlineage`: sends events that builds wrote to a server, again or for the first time."""

import os
from collections.abc import Callable
from dataclasses import replace

from kit.core import Config, KitError, counted
from kit.exchange import web
from kit.exchange.openlineage_spool import EventFile
from kit.exchange.openlineage_target import URL, Refused, Target
from kit.mesh import Context, Mesh
from kit.storage import Store


def export_openlineage(
    context: Context, url: str | None, preset: str | None, *, every_run: bool, warn: Callable[[str], None], token: str = ""
) -> str:
    """Send the events of the runs that published the current snapshots, or of every run that is kept; return what was sent.

    Without `url` the server is that of `OPENLINEAGE_URL`, without `token` the token that of `OPENLINEAGE_API_KEY`. `warn` is
    called with a line for each product whose current snapshot has no events. Raises `KitError` when there is no server, when
    it cannot be reached, and at the end when it refused events.
    """
    url = url or os.environ.get(URL)
    if not url:
        raise KitError(f"there is no server to send to; write --to URL, or set {URL}")
    target = Target.from_preset(url, preset)
    target = replace(target, key=token) if token else target
    files = EventFile.all(context.config) if every_run else list(_current(context.config, context.mesh, warn))
    sent, refusals = 0, []
    for file in files:
        for event in filter(target.takes, file.read()):
            try:
                target.send(event)
                sent += 1
            except Refused as error:
                refusals.append(f"{event['eventType']} of {event['job']['name']}: {error}")
            except web.Unreachable as error:
                more = f"{counted(sent, 'event')} sent, run the command again for the others"
                raise KitError(f"{target.url}: {error}; {more}") from None
    if refusals:
        raise KitError(f"{target.url}: {counted(len(refusals), 'event')} refused, {sent} sent; the first: {refusals[0]}")
    return f"{counted(sent, 'event')} of {counted(len(files), 'run')} sent to {target.url}"


def _current(config: Config, mesh: Mesh, warn: Callable[[str], None]) -> list[EventFile]:
    files = []
    for name in mesh.names:
        if snapshot := Store(config.storage).current(name):
            file = EventFile(config, name, str(snapshot.manifest["run_id"]))
            if file.read():
                files.append(file)
            else:
                warn(f"{name}: the run that made its snapshot has no events; build it with `kit run {name} --force`")
    return sorted(files, key=lambda file: file.run_id)
