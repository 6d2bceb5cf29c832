from datetime import UTC, datetime
from pathlib import Path

import pytest

from kit.core.errors import UnknownName
from kit.storage.snapshot import Pointer, Rollback, Snapshot
from kit.storage.version_name import resolve

A, B, C = "20240501T080000Z-000000", "20240503T080000Z-000000", "20240503T200000Z-000000"
NOW = datetime(2024, 5, 6, 12, tzinfo=UTC)


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2024, 5, day, hour, tzinfo=UTC)


def named(text: str, pointer: Pointer | None = None, versions: tuple[str, ...] = (C, B, A), now: datetime = NOW) -> str:
    parents = {A: None, B: A, C: B}
    history = [Snapshot("shop", version, Path(version), {"parent": parents[version]}) for version in versions]
    return resolve("shop", text, history, pointer or Pointer(C, at(3, 20), "publish"), now)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (A, A), ("20240501", A), ("20240503T2", C), ("-1", B), ("-2", A), ("2024-05-01", A), ("2024-05-02", A),
        ("2024-05-03", C), ("2024-05-05", C), ("2024-05-06", C), ("yesterday", C),
    ],
)  # fmt: skip
def test_names_of_a_snapshot(text: str, version: str) -> None:
    assert named(text) == version


def test_yesterday_is_the_day_before_in_utc() -> None:
    assert named("yesterday", now=at(2, 0)) == A
    assert named("yesterday", now=at(4, 0)) == C


def test_a_day_knows_rollbacks() -> None:
    back, on = Rollback(at(4), A, C), Rollback(at(5), C, A)
    pointer = Pointer(C, at(5), "rollback", (), (back, on))
    assert [named(f"2024-05-0{day}", pointer) for day in (3, 4, 5)] == [C, A, C]


def test_back_counts_from_the_current_snapshot() -> None:
    assert named("-1", Pointer(B, at(4), "rollback")) == A


@pytest.mark.parametrize(
    ("text", "versions", "says"),
    [
        ("20240503", (C, B, A), f"'20240503' is the beginning of 2 snapshots of 'shop': {C}, {B}; write more of it"),
        ("-3", (C, B, A), f"'shop' has 2 snapshots before the current one, {C}; -3 goes too far back"),
        ("2024-04-30", (C, B, A), f"'shop' had no snapshot on 2024-04-30; its oldest known one is {A}"),
        ("2024-05-02", (C, B), f"on 2024-05-02 'shop' had the snapshot {A}, which has been pruned; there are: {C}, {B}"),
        ("2024-05-08", (C, B, A), "2024-05-08 is in the future; write a version or its beginning, a day"),
        *((text, (C, B, A), f"'shop' has no snapshot '{text}'; write a version or its beginning, a day such as 2024-05-01, "
           "yesterday, or -1 for the one before the current; there are: ")
          for text in ("", "0", "-0", "1", "--1", "2024-5-1", "2024-02-30", "Yesterday", "tomorrow", "../x", ".")),
    ],
)  # fmt: skip
def test_what_names_no_snapshot(text: str, versions: tuple[str, ...], says: str) -> None:
    with pytest.raises(UnknownName) as error:
        named(text, versions=versions)
    assert says in str(error.value)
