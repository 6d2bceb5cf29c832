"""The columns of a consumer that changes of a port affect."""

from collections.abc import Callable, Iterable

from kit.contracts import Contract, ContractChange
from kit.mesh import OutputPort


def affected_columns(
    consumer: str,
    port: OutputPort,
    old: Contract,
    new: Contract | None,
    changes: Iterable[ContractChange],
    used: Callable[[], frozenset[str] | None],
) -> tuple[str, ...] | None:
    """Return the columns of a port that changes from `old` to `new` affect at a consumer; None for all of them.

    The consumer's contract counts; without one, the columns it uses do: `used` returns them, None for all. `new` is None
    when the port is removed.
    """
    if need := next((need for need in port.needs if need.consumer == consumer), None):
        return _intersection(need.lost(old, new) if new else changes, need.columns)
    return _intersection(changes, used())


def _intersection(changes: Iterable[ContractChange], used: frozenset[str] | None) -> tuple[str, ...] | None:
    """Return the used columns that the changes concern; None for all."""
    columns: set[str] = set()
    for change in changes:
        if change.columns is None and used is None:
            return None
        if change.columns is None or used is None:
            columns |= (change.columns if used is None else used) or set()
        else:
            columns |= change.columns & used
    return tuple(sorted(columns))
