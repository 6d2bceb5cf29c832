"""Cron lines: five fields of numbers, without names or macros."""

import re
from datetime import datetime, time, timedelta

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


def last_time(line: str, moment: datetime) -> datetime | None:
    """Return the last time of a cron line that is not after `moment`; None when it is more than eight years before."""
    minutes, hours, days, months, weekdays = (
        _values(field, low, high) for field, (low, high) in zip(line.split(" "), _RANGES, strict=True)
    )
    _, _, day_field, _, weekday_field = line.split(" ")
    either = not day_field.startswith("*") and not weekday_field.startswith("*")
    times = sorted((time(hour, minute) for hour in hours for minute in minutes), reverse=True)
    for number in range(8 * 366):
        day = (moment - timedelta(days=number)).date()
        of_month, of_week = day.day in days, not weekdays.isdisjoint({day.isoweekday(), day.isoweekday() % 7})
        if day.month in months and (of_month or of_week if either else of_month and of_week):
            for at in times:
                if (found := datetime.combine(day, at, moment.tzinfo)) <= moment:
                    return found
    return None


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
