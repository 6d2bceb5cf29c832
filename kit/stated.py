"""What consumers state otherwise than before that they need: no promise, but something their providers should see."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from kit.config import Config
from kit.contract import Contract
from kit.documents import Documents
from kit.errors import KitError
from kit.evolution import Change, compare
from kit.mesh import folders
from kit.needs import FOLDER

_KIND = ".odcs.yaml"
_MORE_OR_LESS = {"minor": "needs more: ", "major": "needs less: "}


def stated(old: Config, new: Config, documents: Documents) -> dict[str, tuple[Change, ...]]:
    """The changes of what is stated between two trees, by port; of files that differ only."""
    before, after = _files(old), _files(new)
    found: dict[str, tuple[Change, ...]] = {}
    for key in sorted({*before, *after}):
        if _bytes(before, key) != _bytes(after, key):
            consumer, port = key
            was, now = (_contract(files, key, documents) for files in (before, after))
            changes = tuple(Change(f"need of {consumer}", text, "patch") for text in _said(was, now, key in after))
            found[port] = (*found.get(port, ()), *changes)
    return found


def _said(was: Contract | None, now: Contract | None, there: bool) -> list[str]:
    if now is None:
        return ["cannot be understood; `kit check` says why" if there else "no longer stated"]
    if was is None:
        return [f"stated: {', '.join(column.name for column in now.columns)}"]
    return [
        _MORE_OR_LESS.get(change.verdict, "") + f"{change.where} {change.text}".replace("promised: ", "needed: ", 1)
        for change in compare(was, now)
    ]


def _files(config: Config) -> Mapping[tuple[str, str], Path]:
    """The files of a tree, by consumer and port."""
    return {
        (folder.name, path.name.removesuffix(_KIND)): path
        for folder in folders(config.domains)
        for path in (folder / FOLDER).glob(f"*{_KIND}")
    }


def _bytes(files: Mapping[tuple[str, str], Path], key: tuple[str, str]) -> bytes | None:
    return files[key].read_bytes() if key in files else None


def _contract(files: Mapping[tuple[str, str], Path], key: tuple[str, str], documents: Documents) -> Contract | None:
    with suppress(KitError):
        return Contract.load(files[key], documents) if key in files else None
    return None
