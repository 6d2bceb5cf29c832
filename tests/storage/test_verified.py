import os

import pytest

from kit.core.errors import Damaged
from kit.storage import verified
from kit.storage.verified import check_unchanged, note_published
from tests.support.small_mesh import SmallMesh

ROWS = {"item": ["tea", "cake"], "amount": ["1.00", "2.00"]}


def test_a_file_is_compared_once_and_again_after_it_was_touched(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.snapshot("shop", "totals", ROWS)
    snapshot, read = small.store.current("shop"), []
    assert snapshot
    (path,) = snapshot.paths("totals")
    whole = verified.sha256
    monkeypatch.setattr(verified, "sha256", lambda path: read.append(path.name) or whole(path))
    for _ in range(3):
        check_unchanged(small.config, snapshot)
    assert read == ["data.parquet"]
    content = bytearray(path.read_bytes())
    content[20] ^= 1  # the same size
    path.chmod(0o644)
    path.write_bytes(content)
    os.utime(path, (1, 1))
    with pytest.raises(Damaged, match=r"the content of totals/data\.parquet has changed since it was published"):
        check_unchanged(small.config, snapshot)


def test_what_was_published_just_now_is_not_read_again(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.snapshot("shop", "totals", ROWS)
    snapshot, read = small.store.current("shop"), []
    assert snapshot
    note_published(small.config, snapshot)
    (path,) = snapshot.paths("totals")
    whole = verified.sha256
    monkeypatch.setattr(verified, "sha256", lambda path: read.append(path.name) or whole(path))
    check_unchanged(small.config, snapshot)
    assert read == []
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(Damaged, match="the content of totals"):
        check_unchanged(small.config, snapshot)
