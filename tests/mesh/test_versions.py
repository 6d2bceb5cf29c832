from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from kit.contracts.contract import Contract, Version
from kit.core.errors import InvalidFile
from kit.mesh.versions import check_versions, resolve_version
from tests.support.small_mesh import SmallMesh, contract, write

ONE, TWO = Version(1, 0, 0), Version(2, 0, 0)


@pytest.mark.parametrize(
    ("wanted", "offered", "found"),
    [
        (ONE, {"daily": ONE}, "daily"),
        (ONE, {"daily": TWO, "daily_v1": Version(1, 2, 0)}, "daily_v1"),
        (TWO, {"daily": TWO, "daily_v1": ONE}, "daily"),
        (Version(1, 3, 0), {"daily": TWO, "daily_v1": Version(1, 2, 0)}, None),
        (ONE, {"daily": Version(3, 0, 0), "daily_v1": ONE, "daily_v2": TWO}, "daily_v1"),
        (TWO, {"daily": Version(3, 0, 0), "daily_v1": ONE, "daily_v2": TWO}, "daily_v2"),
        # Before the provider's next build the old version still has the name.
        (TWO, {"daily": ONE}, None),
        (ONE, {}, None),
    ],
)
def test_a_reader_is_served_from_the_major_version_it_asks_for(
    wanted: Version, offered: dict[str, Version], found: str | None
) -> None:
    assert resolve_version("daily", wanted, offered) == found


def made(folder: Path, **more: str) -> Contract:
    """A contract `daily_v1` 1.0.0 that is deprecated and keeps version 1 of `daily`."""
    write(folder / "daily_v1.odcs.yaml", contract("shop.daily_v1", "daily_v1", [("day", "date", {})]))
    loaded = Contract.load(folder / "daily_v1.odcs.yaml")
    return replace(loaded, end_of_life=date(2024, 3, 31), major_of="daily", **more)


def test_an_older_version_beside_the_newer_one(tmp_path: Path) -> None:
    old = made(tmp_path)
    check_versions({"daily": replace(old, version=TWO, major_of=None, end_of_life=None), "daily_v1": old})


@pytest.mark.parametrize(
    ("name", "change", "newer", "problem"),
    [
        (
            "daily_v1", {"major_of": "dayly"}, TWO,
            "1: customProperties: majorOf: 'dayly' is no other port of the product; there are: daily",
        ),
        (
            "daily_v1", {}, ONE,
            "5: version: 1.0.0 is not older than 'daily', 1.0.0; the newer major version has the name",
        ),
        ("daily_old", {}, TWO, "9: schema.0.name: 'daily_old' must be 'daily_v1', as it is version 1 of 'daily'"),
        (
            "daily_v1", {"end_of_life": None}, TWO,
            "6: status: an older version of 'daily' needs a last day; write status: deprecated",
        ),
        (
            "daily_v1", {"major_of": None}, TWO,
            "9: schema.0.name: 'daily_v1' is the name of version 1 of 'daily'; "
            "write customProperties: [{property: majorOf, value: daily}], or choose another name",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, change: dict[str, str], newer: Version, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    old = made(tmp_path)
    with pytest.raises(InvalidFile) as caught:
        check_versions({"daily": replace(old, version=newer, major_of=None), name: replace(old, **change)})
    assert str(caught.value) == f"daily_v1.odcs.yaml:{problem}"


@pytest.mark.slow
def test_two_major_versions_serve_their_readers_side_by_side(small: SmallMesh) -> None:
    before = small.publish("shop")
    small.two_majors()
    small.dbt_reader("old", "amount", "1.0.0")
    small.dbt_reader("new", "value", "2.0.0")
    # The snapshot is older than the contracts: readers of version 1 are still served from it.
    assert small.store.snapshot("plan", small.publish("plan")).manifest["inputs"]["shop.totals"]["version"] == before
    assert small.build("new").message == (
        "'new' reads shop.totals 2.0.0, but the current snapshot of 'shop' has version 1.0.0; run `kit run shop` first"
    )
    small.publish("shop")
    # The same bytes from the port that keeps version 1: nothing to do for who reads it.
    assert small.build("plan").status == "up to date"
    small.publish("plan", force=True)
    found = {}
    for name in ("old", "new"):
        small.publish(name)
        snapshot = small.store.current(name)
        assert snapshot is not None
        found[name] = {port: pin["contract_version"] for port, pin in snapshot.manifest["inputs"].items()}
    assert found == {"old": {"shop.totals_v1": "1.0.0"}, "new": {"shop.totals": "2.0.0"}}
    assert list(small.store.current("plan").manifest["inputs"]) == ["shop.totals_v1"]
    assert small.build("old").status == "up to date"
