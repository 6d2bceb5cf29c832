"""The share of its rows that a table may have lost since the last snapshot, as a contract says."""

from kit.custom import custom
from kit.yaml import Document

PROPERTY = "maxRowLoss"


def max_row_loss(document: Document) -> float | None:
    """A share from 0 (none may be missing) to 1 (all may be); None when the contract says nothing. Raises `InvalidFile`."""
    at, share = custom(document, [], document.data, PROPERTY)
    if at and (type(share) not in (int, float) or not 0 <= share <= 1):
        raise document.error(at, f"{PROPERTY}: {share!r} is not a share from 0 to 1 such as 0.5, which is half of the rows")
    return float(share) if at else None
