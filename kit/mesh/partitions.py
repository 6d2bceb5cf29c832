"""Partitions of a product, which are built one at a time: by day, or by a key such as a customer or a region."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from kit.core import IDENTIFIER, Document, UnknownName, Where

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOST = 10_000
_FORM = "write {column: COLUMN, start: 2024-01-31} for days or {column: COLUMN, keys: [a, b]}"


@dataclass(frozen=True)
class Partitions:
    """The partitions of a product. Every port has `column`, which holds the partition key of each row.

    With `start` there is a partition for each day from that day on, and its key is the ISO date; else one for each of `keys`.
    `lookback` is the number of newest days that changed inputs make due, None for all; older ones stay as they are. `inputs`
    has the column of each input (`PRODUCT.PORT` or `raw.SOURCE`) of which a build of a partition reads its own rows only.
    """

    column: str
    start: date | None = None
    keys: tuple[str, ...] = ()
    lookback: int | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Document, where: Where, value: Any) -> "Partitions":
        """Read the declaration in a descriptor; raises `InvalidFile`."""
        fields = {"column", "start"}, {"column", "keys"}
        if not isinstance(value, dict) or set(value) - {"inputs", "lookback"} not in fields:
            raise document.error(where, f"is no declaration of partitions; {_FORM}")
        if not IDENTIFIER.fullmatch(str(value["column"])):
            raise document.error(where, f"is no declaration of partitions; {_FORM}")
        inputs = _inputs(document, [*where, "inputs"], value.get("inputs", {}))
        lookback = value.get("lookback")
        if "lookback" in value and ("start" not in value or type(lookback) is not int or lookback < 1):
            problem = f"{lookback!r} is not the number of newest days that changed inputs make due, such as 30; all without it"
            raise document.error([*where, "lookback"], problem if "start" in value else "only days (`start`) have a lookback")
        if "start" in value:
            try:
                start = datetime.strptime(str(value["start"]), "%Y-%m-%d").date()
            except ValueError:
                raise document.error([*where, "start"], f"'{value['start']}' is not a date such as 2024-01-31") from None
            return cls(value["column"], start=start, lookback=lookback, inputs=inputs)
        keys = value["keys"]
        if not isinstance(keys, list) or not 0 < len(keys) <= _MOST:
            raise document.error([*where, "keys"], f"must be a list of 1 to {_MOST:,} keys")
        for position, key in enumerate(keys):
            if type(key) not in (str, int) or not _KEY.fullmatch(str(key)) or ".." in str(key):
                problem = f"'{key}' cannot name a partition; use letters, digits and _ . - inside, at most 64"
                raise document.error([*where, "keys", position], problem)
        if len(set(map(str, keys))) < len(keys):
            raise document.error([*where, "keys"], "a key is listed twice; keep one")
        by_folder: dict[str, str] = {}
        for key in map(str, keys):
            if by_folder.setdefault(key.lower(), key) != key:
                problem = (
                    f"'{by_folder[key.lower()]}' and '{key}' differ only in case, which some file systems ignore; rename one"
                )
                raise document.error([*where, "keys"], problem)
        return cls(value["column"], keys=tuple(by_folder.values()), inputs=inputs)

    def all(self, clock: datetime) -> tuple[str, ...]:
        """Return the keys of all partitions at a moment: the days before it, oldest first, or the declared keys."""
        if self.start is None:
            return self.keys
        return tuple(str(self.start + timedelta(days=number)) for number in range((clock.date() - self.start).days))

    def ranges(self, keys: Collection[str], clock: datetime) -> list[tuple[str, str]]:
        """Return the first and the last key of each run of consecutive partitions among `keys`."""
        known, ranges = self.all(clock), list[tuple[int, int]]()
        for number in sorted(known.index(key) for key in keys):
            first = ranges.pop()[0] if ranges and ranges[-1][1] == number - 1 else number
            ranges.append((first, number))
        return [(known[first], known[last]) for first, last in ranges]

    def select(self, product: str, requested: tuple[str, ...], clock: datetime) -> tuple[str, ...]:
        """Return the requested keys, or all; raises `UnknownName` for an unknown one, and when there is no partition yet."""
        known = self.all(clock)
        if not known:
            raise UnknownName(f"'{product}' has no partitions yet; its first day, {self.start}, must be over")
        for key in requested:
            if key not in known:
                listed = (
                    f"{known[0]} to {known[-1]}" if self.start else ", ".join([*known[:20], *(["…"] if known[20:] else [])])
                )
                raise UnknownName(f"'{product}' has no partition '{key}'; there are: {listed}")
        return requested or known


def in_lookback(key: str, lookback: int | None, clock: datetime) -> bool:
    """Whether changed inputs make a partition due: a key, or one of the newest `lookback` days before a moment."""
    return lookback is None or key >= str(clock.date() - timedelta(days=lookback))


def _inputs(document: Document, where: Where, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(IDENTIFIER.fullmatch(str(column)) for column in value.values()):
        raise document.error(where, "must name the column of each input that has the partition: {PRODUCT.PORT: COLUMN}")
    return value
