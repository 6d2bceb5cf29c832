"""The protection of columns: how far a classification and a mask hide values, and what a new version of a contract gives up."""

from collections.abc import Iterator

from kit.contracts.contract import CLASSIFICATIONS, Column, Contract

_COVERS = {
    "drop": ("drop",),
    "hmac": ("hmac", "inherited", "drop"),
    "inherited": ("hmac", "inherited", "drop"),
    "generalise": ("generalise", "hmac", "inherited", "drop"),
}
"""The masks that hide no less than a mask."""


def level(column: Column) -> int:
    """Return the place of a column's classification, the more sensitive the higher; 0 without one."""
    return CLASSIFICATIONS.index(column.classification) if column.classification in CLASSIFICATIONS else 0


def hides_less(mask: str | None, wanted: str | None) -> bool:
    """Return whether a kind of mask hides less than the wanted one; None hides nothing."""
    return wanted is not None and mask not in _COVERS[wanted]


def weakened(old: Contract, new: Contract) -> Iterator[tuple[str, str]]:
    """Yield the columns that a new contract protects less than the old one, each with how."""
    before = {column.name: column for column in old.columns}
    for column in new.columns:
        if (earlier := before.get(column.name)) is None:
            continue
        if level(column) < level(earlier):
            yield column.name, f"classification {earlier.classification} → {column.classification or 'none'}"
        masks = [item.mask.kind if item.mask else None for item in (column, earlier)]
        if hides_less(*masks):
            yield column.name, f"mask {earlier.mask} → {column.mask or 'none'}"
