from datetime import UTC, datetime
from pathlib import Path

import pytest

from kit.core.errors import UnknownName
from kit.storage.snapshot import Pointer, Rollback, Snapshot

SNAPSHOT = Snapshot(
    "shop", "20240131T080000Z-000000", Path("store/shop/1"),
    {
        "created_at": "2024-01-31T08:00:00+00:00", "fingerprint": "abc",
        "ports": {"sales": {"rows": 3, "files": {"b.parquet": "2", "a.parquet": "1"}}, "totals": {"rows": 1, "files": {}}},
    },
)  # fmt: skip


def test_a_snapshot_reads_its_manifest() -> None:
    assert SNAPSHOT.created_at == datetime(2024, 1, 31, 8, tzinfo=UTC)
    assert SNAPSHOT.fingerprint == "abc"
    assert SNAPSHOT.port("sales")["rows"] == 3
    assert SNAPSHOT.paths("sales") == [Path("store/shop/1/sales/a.parquet"), Path("store/shop/1/sales/b.parquet")]
    assert SNAPSHOT.files("totals") == []


def test_an_unknown_port_lists_the_ports() -> None:
    with pytest.raises(UnknownName) as error:
        SNAPSHOT.files("c")
    assert str(error.value) == "snapshot 20240131T080000Z-000000 of 'shop' has no port 'c'; it has: sales, totals"


NIGHT = datetime(2024, 1, 31, 23, 5, tzinfo=UTC)


def test_a_rollback_is_described_with_what_is_known() -> None:
    assert Rollback(NIGHT, "v1", "v2", "ann", "bad prices").describe() == (
        "rolled back from v2 by ann at 2024-01-31 23:05 UTC: bad prices"
    )
    assert Rollback(NIGHT, "v1").describe() == "rolled back at 2024-01-31 23:05 UTC"


def test_the_pointer_of_an_earlier_kit_is_read() -> None:
    data = {"version": "v1", "moved_at": NIGHT.isoformat(), "by": "rollback", "rejected": ["f"]}
    assert Pointer.from_json("shop", data).rolled_back == Rollback(NIGHT, "v1")
    assert Pointer.from_json("shop", data | {"by": "publish"}).rollbacks == ()
