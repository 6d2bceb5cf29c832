"""Comparison of published files with their checksums, once for each state of a file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.core import Config, ContentCache, sha256
from kit.storage.snapshot import Snapshot


def check_unchanged(config: Config, snapshot: Snapshot) -> None:
    """Raise `Damaged` when a file of a snapshot is not as published; a file is read again only when it was touched."""
    with _comparison(config, snapshot) as is_sound:
        snapshot.check(is_sound=is_sound)


def damaged_ports(config: Config, snapshot: Snapshot) -> frozenset[str]:
    """Return the ports of a snapshot with a file that is not as published."""
    with _comparison(config, snapshot) as is_sound:
        return frozenset(port for port in snapshot.manifest["ports"] if snapshot.damage(port, is_sound=is_sound))


def note_published(config: Config, snapshot: Snapshot) -> None:
    """Note that the files of a snapshot are those that were published just now; no build reads them until they are touched."""
    cache = _cache(config, snapshot)
    for port, entry in snapshot.manifest["ports"].items():
        for name, digest in entry["files"].items():
            cache.put(_key(snapshot.folder / port / name, digest), name)
    cache.save()


def _cache(config: Config, snapshot: Snapshot) -> ContentCache:
    return ContentCache(config.cache / f"verified-{snapshot.product}")


def _key(path: Path, digest: str) -> str:
    state = path.stat()
    stamp = state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
    return ContentCache.key(digest, *map(str, stamp))


@contextmanager
def _comparison(config: Config, snapshot: Snapshot) -> Iterator[Callable[[Path, str], bool]]:
    cache = _cache(config, snapshot)

    def is_sound(path: Path, digest: str) -> bool:
        key = _key(path, digest)
        if cache.lookup(key) is None:
            if sha256(path) != digest:
                return False
            cache.put(key, path.name)
        return True

    yield is_sound
    cache.save()
