"""Where the raw data of this product comes from: files in `data/`, and the packages of this environment."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from source_code import SourceCode, installed_version

DATA = Path(__file__).parent / "data"


def installations() -> Iterator[dict[str, Any]]:
    """The customers whose code host the assistant is installed at, one row per installation."""
    for item in _items("installations"):
        yield {**item, "suspended_at": _moment(item["suspended_at"])}


def issues() -> Iterator[dict[str, Any]]:
    """The issues of a code host that are assigned to somebody, one row per issue."""
    for item in _items("issues"):
        yield {**item, "opened_at": _moment(item["opened_at"])}


def telemetry() -> Iterator[dict[str, Any]]:
    """Exceptions as Sentry's API lists them, one row per event."""
    for item in _items("events"):
        yield {
            "event_id": item["eventID"],
            "installation": item["installation"],
            "occurred_at": _moment(item["dateCreated"]),
            "source": "sentry",
            "type": item["type"],
            "value": item["value"],
            "title": item["title"],
            "frames": json.dumps(item["frames"]),
            "user": item["user"],
            "ip": item["ip"],
        }


def source_code() -> SourceCode:
    """The functions of the packages that installations run, one row per installation and function."""
    return SourceCode(
        {
            item["installation"]: {name: installed_version(item["installation"], name) for name in item["distributions"]}
            for item in _items("installations")
        }
    )


def causes() -> Iterator[dict[str, Any]]:
    """The function that each issue is about, one row per issue; people named it before any search was measured."""
    yield from _items("truth")


def _items(name: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return items


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None) if text else None
