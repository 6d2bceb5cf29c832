"""Masks: the replacement of a column's values before publication."""

from dataclasses import dataclass
from typing import Any

from kit.contracts.custom_properties import custom_property
from kit.core import Document, Where

_KINDS = "hmac, drop, inherited, or {generalise: …}"
_KEYED = ("varchar", "bigint")
_DAYS = ("year", "quarter", "month", "week")
_TIMES = (*_DAYS, "day", "hour", "minute")


@dataclass(frozen=True)
class Mask:
    """The replacement of the values of one column when they are published.

    `hmac` replaces each value by a keyed token, equal values by equal ones; `drop` replaces all by null; `generalise`
    keeps them at the precision `to`: a unit of time, the width of a bucket of numbers or a number of first characters;
    `inherited` changes nothing, because the column comes from masked columns.
    """

    kind: str
    to: str | int | float | None = None

    def __str__(self) -> str:
        return self.kind if self.to is None else f"{self.kind} {self.to}"

    @property
    def applies(self) -> bool:
        """Whether the kit replaces values."""
        return self.kind != "inherited"


def mask_of(document: Document, where: Where, item: dict[str, Any], kind: str) -> Mask | None:
    """Return the mask of a column of type `kind`, from its custom property `mask`; None when it has none.

    Raises `InvalidFile` for one that does not fit the type, or whose result would violate the contract.
    """
    place, value = custom_property(document, where, item, "mask")
    if not place:
        return None
    mask = _mask(document, place, value, kind)
    if mask.kind == "hmac" and kind not in _KEYED:
        raise document.error(place, f"'{item['name']}' is {kind}; hmac masks {' and '.join(_KEYED)}, others can be generalised")
    if mask.kind == "drop" and (item.get("required") or item.get("primaryKey")):
        raise document.error(place, f"'{item['name']}' is required and cannot be dropped; make it optional, or use hmac")
    if mask.kind == "generalise" and item.get("primaryKey"):
        raise document.error(place, f"'{item['name']}' is in the key, whose values would no longer be unique; use hmac")
    return mask


def _mask(document: Document, where: Where, value: Any, kind: str) -> Mask:
    if value in ("hmac", "drop", "inherited"):
        return Mask(value)
    if not isinstance(value, dict) or set(value) != {"generalise"}:
        raise document.error(where, f"{value!r} is no mask; there are: {_KINDS}")
    to = value["generalise"]
    place: Where = [*where, "generalise"]
    if kind in ("date", "timestamp", "timestamp with time zone"):
        units = _DAYS if kind == "date" else _TIMES
        if to not in units:
            raise document.error(place, f"{to!r} is no unit a {kind} is generalised to; there are: {', '.join(units)}")
    elif kind == "varchar":
        if type(to) is not int or to < 1:
            raise document.error(place, f"{to!r} is no number of first characters; use a whole number from 1")
    elif is_whole(kind) or kind in ("float", "double") or (kind.startswith("decimal") and not kind.endswith("]")):
        if type(to) not in (int, *(() if is_whole(kind) else (float,))) or to <= 0:
            raise document.error(place, f"{to!r} is no width of a bucket of {kind}; use a number above 0")
    else:
        raise document.error(where, f"a {kind} cannot be generalised; drop it")
    return Mask("generalise", to)


def is_whole(kind: str) -> bool:
    """Return whether a column type holds whole numbers."""
    return kind.endswith(("int", "integer"))
