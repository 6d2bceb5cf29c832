"""Cron lines: five fields of numbers, without names or macros."""

import re

_PART = re.compile(r"(?:\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([0-9]{1,2}))?")
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_cron(line: str) -> bool:
    """Return whether a line is `minute hour day month weekday`, with all numbers in range and a date that exists."""
    fields = line.split(" ")
    if len(fields) != len(_RANGES):
        return False
    values = [_values(field, low, high) for field, (low, high) in zip(fields, _RANGES, strict=True)]
    _, _, days, months, _ = values
    return all(values) and min(days) <= max(_DAYS[month - 1] for month in months)


def _values(field: str, low: int, high: int) -> set[int]:
    """Return the numbers that a field selects; none for an invalid field."""
    values: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            return set()
        first, last, step = (int(number) if number else None for number in match.groups())
        begin = low if first is None else first
        end = last if last is not None else (begin if first is not None and step is None else high)
        if not low <= begin <= end <= high or step == 0 or (step or 1) > high:
            return set()
        values |= set(range(begin, end + 1, step or 1))
    return values
