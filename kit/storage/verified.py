"""Comparison of published files with their checksums, once for each state of a file."""

from pathlib import Path

from kit.core import Config, ContentCache, sha256
from kit.storage.snapshot import Snapshot


def check_unchanged(config: Config, snapshot: Snapshot) -> None:
    """Raise `Damaged` when a file of a snapshot is not as published; a file is read again only when it was touched."""
    cache = ContentCache(config.cache / f"verified-{snapshot.product}")

    def is_sound(path: Path, digest: str) -> bool:
        state = path.stat()
        stamp = state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
        key = cache.key(digest, *map(str, stamp))
        if cache.lookup(key) is None:
            if sha256(path) != digest:
                return False
            cache.put(key, path.name)
        return True

    snapshot.check(is_sound=is_sound)
    cache.save()
