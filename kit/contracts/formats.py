"""Formats of values that the contract standard names, as SQL conditions."""

import re

from kit.core import literal

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"({_OCTET}\.){{3}}{_OCTET}"
_GROUP = "[0-9a-fA-F]{1,4}"
_LAST = f"({_GROUP}:{_GROUP}|{_IPV4})"
_IPV6 = "|".join(
    [
        f"({_GROUP}:){{6}}{_LAST}",
        *(f"(({_GROUP}:){{0,{before}}}{_GROUP})?::({_GROUP}:){{{4 - before}}}{_LAST}" for before in range(5)),
        f"::({_GROUP}:){{5}}{_LAST}",
        f"(({_GROUP}:){{0,5}}{_GROUP})?::{_GROUP}",
        f"(({_GROUP}:){{0,6}}{_GROUP})?::",
    ]
)  # RFC 4291
_LABEL = "[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_TEXTS = {
    "uuid": "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "ipv4": _IPV4,
    "ipv6": _IPV6,
    "hostname": rf"{_LABEL}(\.{_LABEL})*",  # RFC 1123
    "email": rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(\.{_LABEL})*",  # as in HTML
    "uri": r"[a-zA-Z][a-zA-Z0-9+.-]*:([a-zA-Z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9a-fA-F]{2})+",  # the characters of RFC 3986
    "byte": "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
}
_SECONDS = {"timestamp": "yyyy-MM-dd HH:mm:ss", "time": "HH:mm:ss"}
_BITS = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}


def format_condition(value: str, format: str, kind: str) -> tuple[str | None, str]:  # noqa: A002 (the standard's word)
    """Return the condition that a value, as SQL of the type `kind`, has a format, and why it cannot be checked.

    The condition is empty where every value of the type has the format, None where it cannot be checked.
    """
    base = kind.partition(" ")[0]
    if kind == "varchar" and format in _TEXTS:
        matches = f"regexp_full_match({value}, {literal(_TEXTS[format])})"
        return (f"{matches} and length({value}) <= 253" if format == "hostname" else matches), ""
    if (kind, format) in (("uuid", "uuid"), ("blob", "binary"), ("date", "yyyy-MM-dd")):
        return "", ""
    if base in _SECONDS and format == _SECONDS[base]:
        return f"microsecond({value}) % 1000000 = 0", ""  # no fraction of a second
    if number := re.fullmatch(r"([iuf])(8|16|32|64|128)", format):
        return _number(value, kind, number[1], int(number[2]))
    known = {"varchar": ", ".join(_TEXTS), "date": "yyyy-MM-dd", **_SECONDS}.get(base)
    return None, f"of {kind} values it cannot be checked" + (f"; there are: {known}" if known else "")


def _number(value: str, kind: str, sign: str, bits: int) -> tuple[str | None, str]:
    if sign == "f":
        if kind == "float" or (kind == "double" and bits == 64):
            return "", ""
        exact = f"try_cast({value} as float)::double = {value}"
        return (exact, "") if kind == "double" else (None, f"of {kind} values it cannot be checked; delete it")
    if kind.removeprefix("u") not in _BITS and not kind.endswith(",0)"):
        return None, f"of {kind} values it cannot be checked; delete it"
    if (sign, bits) == ("i", 128):
        return "", ""  # a decimal has less digits
    least, most = (0, 2**bits - 1) if sign == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    low, high = _range(kind)
    parts = [f"{value} >= {least}"] if low < least else []
    parts += [f"{value} <= {most}"] if bits < 128 and high > most else []
    return " and ".join(parts), ""


def _range(kind: str) -> tuple[int, int]:
    bits = _BITS.get(kind.removeprefix("u"))
    if bits is None:
        return -(10**38), 10**38
    return (0, 2**bits - 1) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
