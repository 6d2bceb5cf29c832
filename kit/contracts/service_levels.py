"""Service levels of a contract: latency, frequency, retention, last day and allowed loss of rows."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from kit.contracts.custom_properties import custom_property
from kit.core import Document, Where, mappings

PROPERTY = "maxRowLoss"
_END_OF_LIFE = "endOfLife"
_UNITS = {"h": 1, "hour": 1, "hours": 1, "d": 24, "day": 24, "days": 24, "w": 168, "week": 168, "weeks": 168,
          "y": 8766, "yr": 8766, "year": 8766, "years": 8766}  # fmt: skip
_LONGEST = 1000 * _UNITS["y"]


@dataclass(frozen=True)
class Sla:
    """The greatest age of the newest data, the time between publications, the time data is kept.

    The age of data is that of the newest value of `latency_column`, without one that of the oldest delivery of its sources.
    """

    latency: timedelta | None = None
    latency_column: str | None = None
    frequency: timedelta | None = None
    retention: timedelta | None = None


def read_sla(document: Document, table: str, dated: Collection[str], masked: Collection[str]) -> Sla:
    """Return the service levels of a table with the `dated` and `masked` columns; raises `InvalidFile`."""
    values: dict[str, Any] = {}
    for position, item in enumerate(document.data.get("slaProperties") or []):
        where: Where = ["slaProperties", position]
        name = item["property"]
        if name != "latency" and item.get("element", table) != table:
            problem = f"{name} is measured of the whole table; leave the element out or write {table}"
            raise document.error([*where, "element"], problem)
        if name == _END_OF_LIFE:
            continue
        if name not in ("latency", "frequency", "retention"):
            problem = f"'{name}' cannot be measured; there are: latency, frequency, retention, {_END_OF_LIFE}"
            raise document.error([*where, "property"], problem)
        if name in values:
            raise document.error(where, f"{name} is written twice; keep one")
        hours, value, unit = _UNITS.get(str(item.get("unit"))), item["value"], item.get("unit") or "without unit"
        if hours is None or type(value) not in (int, float) or not 0 < hours * value <= _LONGEST:
            problem = f"{name} is {value!r} {unit}; give a number above 0 and a unit: h, d, w or y, at most 1000 y"
            raise document.error(where, problem)
        values[name] = timedelta(hours=hours * value)
        if name == "latency" and (element := item.get("element", "")):
            owner, _, column = element.partition(".")
            if owner != table or column not in dated:
                known = ", ".join(dated) or "none"
                problem = f"'{element}' is not a date or timestamp of '{table}'; there are: {known}; write {table}.COLUMN"
                raise document.error([*where, "element"], problem)
            if column in masked:
                problem = f"'{element}' is masked, so that readers cannot see its age; choose another one"
                raise document.error([*where, "element"], problem)
            values["latency_column"] = column
    return Sla(**values)


def end_of_life(document: Document) -> date | None:
    """Return the last day of a deprecated contract; None for any other.

    Raises `InvalidFile` for a deprecated contract without a last day, and for a last day of any other contract.
    """
    levels = enumerate(mappings(document.data.get("slaProperties")))
    places: list[tuple[Where, Any]] = [
        (["slaProperties", position], item.get("value")) for position, item in levels if item.get("property") == _END_OF_LIFE
    ]
    status = document.data.get("status")
    if len(places) > 1:
        raise document.error(places[1][0], f"{_END_OF_LIFE} is written twice; keep one")
    if not places:
        if status == "deprecated":
            problem = f"'deprecated' needs a last day; write slaProperties: [{{property: {_END_OF_LIFE}, value: 2030-12-31}}]"
            raise document.error(["status"], problem)
        return None
    where, value = places[0]
    if status != "deprecated":
        raise document.error(where, f"'{status}' contracts have no {_END_OF_LIFE}; write status: deprecated")
    try:
        if len(str(value)) != len("2030-12-31"):
            raise ValueError
        return date.fromisoformat(str(value))
    except ValueError:
        raise document.error([*where, "value"], f"'{value}' is no day; write one such as 2030-12-31") from None


def max_row_loss(document: Document) -> float | None:
    """Return the share of rows that may be missing, from 0 to 1; None without the property. Raises `InvalidFile`."""
    where, share = custom_property(document, [], document.data, PROPERTY)
    if where and (type(share) not in (int, float) or not 0 <= share <= 1):
        problem = f"{PROPERTY}: {share!r} is not a share from 0 to 1 such as 0.5, which is half of the rows"
        raise document.error(where, problem)
    return float(share) if where else None
