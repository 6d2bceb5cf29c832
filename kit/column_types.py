"""Column types: the DuckDB names the kit knows, whatever way they are spelt."""

import re
from functools import lru_cache

_TYPES = {
    "bool": "boolean", "int8": "bigint", "long": "bigint", "int": "integer", "int4": "integer", "short": "smallint",
    "int2": "smallint", "real": "float", "float4": "float", "float8": "double", "text": "varchar", "string": "varchar",
    "char": "varchar", "datetime": "timestamp", "timestamptz": "timestamp with time zone", "numeric": "decimal",
}  # fmt: skip
KNOWN_TYPES = {
    "boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint",
    "float", "double", "varchar", "date", "time", "timestamp", "timestamp with time zone", "blob", "uuid", "json",
}  # fmt: skip
_DECIMAL = re.compile(r"decimal\((\d{1,2}),(\d{1,2})\)")


@lru_cache
def normal_type(text: str) -> str | None:
    """The DuckDB name of a column type, or None for a type the kit does not know."""
    whole = re.sub(r"\s*([(),])\s*", r"\1", text.strip().lower())
    name = re.sub(r"(\[\])+$", "", whole)
    lists = whole[len(name) :]
    base, bracket, rest = name.partition("(")
    base = _TYPES.get(base, base)
    if base == "varchar" and re.fullmatch(r"|\([0-9]+\)", bracket + rest):
        return f"varchar{lists}"
    if match := _DECIMAL.fullmatch(base + bracket + rest):
        precision, scale = int(match[1]), int(match[2])
        return f"decimal({precision},{scale}){lists}" if 0 < precision <= 38 and scale <= precision else None
    return f"{base}{lists}" if base in KNOWN_TYPES and not bracket else None
