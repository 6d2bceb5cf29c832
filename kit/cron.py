"""Cron lines: five fields of numbers, without names or macros."""

import re

_FIELD = re.compile(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?")
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def is_cron(line: str) -> bool:
    """Whether a line is `minute hour day month weekday` with every number in its range."""
    fields = line.split(" ")
    return len(fields) == len(_RANGES) and all(
        _fits(part, low, high) for field, (low, high) in zip(fields, _RANGES, strict=True) for part in field.split(",")
    )


def _fits(part: str, low: int, high: int) -> bool:
    match = _FIELD.fullmatch(part)
    if match is None:
        return False
    first, last, step = (int(number) if number else None for number in match.groups())
    if first is None:
        return step is None or 0 < step <= high
    return low <= first <= (last if last is not None else first) <= high and step != 0
