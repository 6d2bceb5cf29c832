"""Names of snapshots that people write: a version, its beginning, a day, `yesterday`, or a number back from the current one."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from kit.core import UnknownName, counted, time_id
from kit.storage.snapshot import Pointer, Snapshot

_BACK = re.compile(r"-[1-9][0-9]{0,5}")
_ALLOWED = "a version or its beginning, a day such as 2024-05-01, yesterday, or -1 for the one before the current"


def resolve(product: str, text: str, history: Sequence[Snapshot], pointer: Pointer | None, now: datetime) -> str:
    """Return the version that a text names; `history` are the snapshots of the product, newest first.

    A day stands for the snapshot that was in place at its end (UTC). Raises `UnknownName`, which lists what is allowed.
    """
    versions = [snapshot.version for snapshot in history]
    if text in versions:
        return text
    if _BACK.fullmatch(text):
        return _back(product, int(text), versions, pointer)
    day = now.date() - timedelta(days=1) if text == "yesterday" else _day(text)
    if day is not None:
        return _in_place(product, day, history, pointer, now)
    found = [version for version in versions if text and version.startswith(text)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownName(
            f"'{text}' is the beginning of {len(found)} snapshots of '{product}': {', '.join(found)}; write more of it"
        )
    raise UnknownName(f"'{product}' has no snapshot '{text}'; write {_ALLOWED}; there are: {', '.join(versions) or 'none'}")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None


def _back(product: str, number: int, versions: Sequence[str], pointer: Pointer | None) -> str:
    """Return the version that was published so many before the current one."""
    older = [version for version in versions if pointer and version < pointer.version]
    if -number > len(older):
        current = f"the current one, {pointer.version}" if pointer else "none"
        raise UnknownName(f"'{product}' has {counted(len(older), 'snapshot')} before {current}; {number} goes too far back")
    return older[-number - 1]


def _in_place(product: str, day: date, history: Sequence[Snapshot], pointer: Pointer | None, now: datetime) -> str:
    """Return the version that readers saw at the end of a day, also when it was rolled back to."""
    end = datetime.combine(day + timedelta(days=1), time(), UTC)
    if end > now + timedelta(days=1):
        raise UnknownName(f"{day} is in the future; write {_ALLOWED}")
    # A version is the time of its publication; a parent was current until then, also when it has been pruned since.
    known = {snapshot.version for snapshot in history} | {snapshot.manifest.get("parent") for snapshot in history}
    rollbacks = pointer.rollbacks if pointer else ()
    known |= {name for move in rollbacks for name in (move.source, move.version)}
    moves = [(version, version) for version in known if version] + [(time_id(move.at), move.version) for move in rollbacks]
    before = [version for moment, version in sorted(moves) if moment < time_id(end)]
    if not before:
        first = min((moment for moment, _ in moves), default="none")
        raise UnknownName(f"'{product}' had no snapshot on {day}; its oldest known one is {first}")
    if before[-1] not in {snapshot.version for snapshot in history}:
        raise UnknownName(
            f"on {day} '{product}' had the snapshot {before[-1]}, which has been pruned; there are: "
            f"{', '.join(snapshot.version for snapshot in history) or 'none'}"
        )
    return before[-1]
