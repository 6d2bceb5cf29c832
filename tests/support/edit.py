"""Changes of single fields in nested data."""

import copy
from typing import Any

ABSENT: Any = object()


def edited(data: Any, where: str, value: Any) -> Any:
    """Return a copy of `data` with the field at `where` (keys and positions between blanks) set or, for ABSENT, removed."""
    result = copy.deepcopy(data)
    *path, last = [int(part) if part.isdigit() else part for part in where.split()]
    holder = result
    for part in path:
        holder = holder[part]
    if value is ABSENT:
        del holder[last]
    elif isinstance(holder, list) and last == len(holder):
        holder.append(value)
    else:
        holder[last] = value
    return result
