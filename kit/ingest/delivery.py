"""The time when raw data was delivered, as a function of `ingest.py` states it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from kit.core import IngestError

_AHEAD = timedelta(days=1)  # clocks differ, and a date may have begun elsewhere


@dataclass(frozen=True)
class Delivery:
    """What a function of `ingest.py` returns to say when its data was delivered: the data (a path or a frame) and the time.

    The time is a `datetime` (UTC without a time zone), a `date`, or the ISO text of one, such as a date in the manifest of a
    feed or the newest cursor of an interface.
    """

    data: Any
    at: datetime | date | str

    def time(self, label: str) -> datetime:
        """Return the time in UTC; raises `IngestError` for a text that is none, and for a time in the future."""
        try:
            value = datetime.fromisoformat(self.at) if isinstance(self.at, str) else self.at
            moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        except (ValueError, AttributeError):
            problem = f"delivered at {self.at!r}, which is no time; give a datetime, a date, or its ISO text"
            raise IngestError(f"{label}: {problem}") from None
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment > datetime.now(UTC) + _AHEAD:
            raise IngestError(f"{label}: delivered at {moment:%Y-%m-%d %H:%M} UTC, which is in the future; correct the time")
        return moment
