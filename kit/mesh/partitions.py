"""A product cut into parts that are built one at a time: by day, or by a key such as a customer or a region."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from kit.core import IDENTIFIER, Document, UnknownName, Where

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOST = 10_000
_FORM = "write {column: COLUMN, start: 2024-01-31} for days or {column: COLUMN, keys: [a, b]}"


@dataclass(frozen=True)
class Partitions:
    """How the ports of a product are cut. `column` is in every port and holds the key of each row's partition.

    With `start` there is one partition per day from that day on, the key being the ISO date; else one per key in `keys`.
    """

    column: str
    start: date | None = None
    keys: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: Document, where: Where, given: Any) -> "Partitions":
        """Read a declaration; raises `InvalidFile`."""
        wanted = {"column", "start"}, {"column", "keys"}
        if not isinstance(given, dict) or set(given) not in wanted or not IDENTIFIER.fullmatch(str(given["column"])):
            raise document.error(where, f"cannot be understood; {_FORM}")
        if "start" in given:
            try:
                return cls(given["column"], start=datetime.strptime(str(given["start"]), "%Y-%m-%d").date())
            except ValueError:
                raise document.error([*where, "start"], f"'{given['start']}' is not a date such as 2024-01-31") from None
        keys = given["keys"]
        if not isinstance(keys, list) or not 0 < len(keys) <= _MOST:
            raise document.error([*where, "keys"], f"must be a list of 1 to {_MOST:,} keys")
        for position, key in enumerate(keys):
            if type(key) not in (str, int) or not _KEY.fullmatch(str(key)) or ".." in str(key):
                problem = f"'{key}' cannot name a partition; use letters, digits and _ . - inside, at most 64"
                raise document.error([*where, "keys", position], problem)
        if len(set(map(str, keys))) < len(keys):
            raise document.error([*where, "keys"], "a key stands twice; keep one")
        first: dict[str, str] = {}
        for key in map(str, keys):
            if first.setdefault(key.lower(), key) != key:
                problem = f"'{first[key.lower()]}' and '{key}' differ in case only, which file systems may not; rename one"
                raise document.error([*where, "keys"], problem)
        return cls(given["column"], keys=tuple(first.values()))

    def all(self, clock: datetime) -> tuple[str, ...]:
        """Every key there is at a moment: the days before it, oldest first, or the keys as declared."""
        if self.start is None:
            return self.keys
        return tuple(str(self.start + timedelta(days=number)) for number in range((clock.date() - self.start).days))

    def select(self, product: str, asked: tuple[str, ...], clock: datetime) -> tuple[str, ...]:
        """The partitions that are asked for, all without; raises `UnknownName` when one is not there, or none is."""
        known = self.all(clock)
        if not known:
            raise UnknownName(f"'{product}' has no partitions yet; its first day, {self.start}, must be over")
        for key in asked:
            if key not in known:
                there = (
                    f"{known[0]} to {known[-1]}" if self.start else f"{', '.join(known[:20])}{' …' if len(known) > 20 else ''}"
                )
                raise UnknownName(f"'{product}' has no partition '{key}'; there are: {there}")
        return asked or known
