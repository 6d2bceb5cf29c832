"""What else two contract files say differently, beside what they promise to readers."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kit.evolution import Change, Verdict

# What `kit.evolution` weighs, or what follows from it.
_WEIGHED = re.compile(
    r"version|name|tags|team\.name|status|slaProperties\..*|customProperties\.(majorOf|quarantineLimit|maxRowLoss)\..*|"
    r"schema\.\w+\.(description|quality.*|properties\.\w+(\.(name|description|required|unique|primaryKey|primaryKeyPosition|"
    r"physicalType|logicalType|logicalTypeOptions.*|classification|quality.*|customProperties\.(mask|onFailure)\..*))?)"
)
_WORDS = {
    "domain", "dataProduct", "tenant", "team", "support", "description", "authoritativeDefinitions", "purpose", "usage",
    "limitations", "businessName", "dataGranularityDescription", "examples", "tags",
}  # fmt: skip


def reworded(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Fields that promise readers nothing: texts and people are a patch; what the kit does not know, a person judges."""
    if old != new:
        found = [path for path in _differing(old, new, "") if not _WEIGHED.fullmatch(path)]
        words = [path for path in found if _WORDS & set(path.split("."))]
        kinds: tuple[tuple[list[str], Verdict], ...] = (
            (words, "patch"),
            ([path for path in found if path not in words], "review"),
        )
        for paths, verdict in kinds:
            if paths:
                yield Change("file", f"{', '.join(paths)} changed", verdict)


def _differing(old: Any, new: Any, at: str) -> Iterator[str]:
    was, now = ({} if value is None else _named(value) for value in (old, new))
    if was is not None and now is not None:
        for name in dict.fromkeys((*was, *now)):
            yield from _differing(was.get(name), now.get(name), f"{at}.{name}" if at else name)
    elif old != new:
        yield at


def _named(value: Any) -> Mapping[str, Any] | None:
    """A mapping as it is, a list of things with names by these names; None for anything else."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        return None
    names = [str(item.get("name") or item.get("property") or "") for item in value]
    return dict(zip(names, value, strict=True)) if all(names) and len(set(names)) == len(names) else None
