"""Keys of masked values: which products were masked with which key, and the products whose masked columns do not join."""

from collections.abc import Iterable

from kit.core import KitError
from kit.storage.snapshot import Snapshot
from kit.storage.store import Store

TOKENS = ("hmac", "inherited")
"""The kinds of masks whose values are tokens of a key."""


def token_keys(store: Store, snapshot: Snapshot) -> frozenset[str]:
    """Return the fingerprints of the keys that the tokens in a snapshot were made with; empty without tokens.

    A port with `inherited` columns has the tokens of the snapshots that it was made from; those that were pruned since are
    left out.
    """
    if not any(kind in TOKENS for port in snapshot.manifest["ports"].values() for kind in port.get("masked", {}).values()):
        return frozenset()
    own = snapshot.manifest.get("mask_key")
    keys = {own} if own else set()
    for port, pin in snapshot.manifest.get("inputs", {}).items():
        try:
            keys |= token_keys(store, store.snapshot(port.partition(".")[0], pin["version"]))
        except KitError:
            continue
    return frozenset(keys)


def current_mask_keys(store: Store, products: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the keys of the current snapshot of each product that publishes tokens."""
    keys: dict[str, frozenset[str]] = {}
    for product in products:
        try:
            snapshot = store.current(product)
        except KitError:
            continue  # `kit doctor` and the next build say what is wrong with it
        if snapshot and (found := token_keys(store, snapshot)):
            keys[product] = found
    return keys


def mask_key_problems(store: Store, products: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return problem and cure for each product whose masked columns do not join with others; empty when all have one key."""
    keys = current_mask_keys(store, products)
    if len(frozenset().union(*keys.values())) < 2:
        return {}
    cure = f"build them with one key: `kit run {' '.join(keys)}`"
    problems = {}
    for product, own in keys.items():
        others = ", ".join(f"{name} ({_text(other)})" for name, other in keys.items() if other != own or len(own) > 1)
        problem = f"its tokens were made with {_text(own)}, unlike {others or 'each other'}, so masked columns do not join"
        problems[product] = problem, cure
    return problems


def _text(keys: frozenset[str]) -> str:
    return f"the key{'s' if len(keys) > 1 else ''} {' and '.join(key[:8] for key in sorted(keys))}"
