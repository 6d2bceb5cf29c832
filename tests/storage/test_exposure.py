"""A snapshot that shows what the newest one of its product hides is served to nobody, whichever way it is asked for."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit.core.errors import KitError, MaskError
from kit.storage.exposure import exposed
from kit.storage.repair import restore_pointer
from kit.storage.snapshot import Snapshot
from kit.storage.store import POINTER_FILE, Store
from tests.support.contracts import contract, mask
from tests.support.files import write

_COLUMNS = [["id", "bigint", ""], ["email", "varchar", ""]]


def _entry(masked: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"rows": 1, "contract_version": "1.0.0", "masked": masked, "about": {"columns": _COLUMNS}, **more}


def _snapshot(**ports: Any) -> Snapshot:
    more = {"hidden": ports.pop("hidden")} if "hidden" in ports else {}
    return Snapshot("shop", "1", Path(), {"ports": ports, **more})


def _publish(store: Store, **masked: str) -> Snapshot:
    with store.build_lock("shop"):
        staging, pointer = store.stage("shop", "r", ["people"]), store.read_pointer("shop")
        pl.DataFrame({"id": [1], "email": ["ann"]}).write_parquet(staging / "people/data.parquet")
        content = {"run_id": "r", "fingerprint": f"f{masked}", "inputs": {}, "ports": {"people": _entry(masked)}}
        return store.publish("shop", staging, content, parent=pointer.version if pointer else None)


@pytest.mark.parametrize(
    ("then", "today", "shown"),
    [
        ({}, {"email": "hmac"}, ("people.email",)),
        ({}, {"email": "inherited"}, ("people.email",)),
        ({"email": "generalise"}, {"email": "hmac"}, ("people.email",)),
        ({"email": "hmac"}, {"email": "drop"}, ("people.email",)),
        ({"email": "hmac"}, {"email": "inherited"}, ()),
        ({"email": "drop"}, {"email": "generalise"}, ()),
        ({"email": "hmac"}, {}, ()),
        ({}, {"other": "hmac"}, ()),
    ],
)
def test_a_weaker_mask_than_that_of_today_shows_a_column(
    then: dict[str, str], today: dict[str, str], shown: tuple[str, ...]
) -> None:
    assert exposed(_snapshot(people=_entry(then)), _snapshot(people=_entry(today))) == shown


def test_values_generalised_otherwise_are_shown() -> None:
    days, years = (_snapshot(people=_entry({"email": "generalise"}, generalised={"email": to})) for to in ("day", "year"))
    assert exposed(days, years) == ("people.email",)
    assert exposed(years, years) == ()


def test_rows_set_aside_with_a_column_that_is_hidden_today_are_shown() -> None:
    aside = {"quarantine_of": "people", "rows": 1}
    newest = _snapshot(people=_entry({}), hidden=["email"])
    assert exposed(_snapshot(people=_entry({}), people__quarantine=aside, hidden=[]), newest) == ("people__quarantine",)
    assert exposed(_snapshot(people=_entry({}), people__quarantine={**aside, "rows": 0}, hidden=[]), newest) == ()
    assert exposed(_snapshot(people=_entry({}), people__quarantine=aside, hidden=["email"]), newest) == ()


def test_what_an_earlier_kit_hid_is_told_by_the_contracts_of_its_snapshots(tmp_path: Path) -> None:
    """It wrote down neither the hidden columns nor the masks that are inherited."""

    def old(hides: bool) -> Snapshot:
        more = {"classification": "personal"} if hides else {}
        folder = tmp_path / f"{hides}"
        write(folder / "contracts/people.odcs.yaml", contract("shop.people", "people", [("email", "varchar", more)]))
        if hides:
            mask(folder / "contracts/people.odcs.yaml", email="inherited")
        ports = {"people": _entry({}), "people__quarantine": {"quarantine_of": "people", "rows": 1}}
        return Snapshot("shop", "1", folder, {"ports": ports})

    newest = _snapshot(people=_entry({"email": "inherited"}), hidden=["email"])
    assert exposed(old(hides=True), newest) == ()
    assert exposed(old(hides=False), newest) == ("people.email", "people__quarantine")


def test_no_way_leads_to_a_snapshot_that_shows_a_masked_column(tmp_path: Path) -> None:
    store = Store(tmp_path)
    clear, masked = _publish(store), _publish(store, email="hmac")
    sentence = (
        f"snapshot {clear.version} of 'shop' shows people.email, which is masked today; it is not served. "
        "Choose a newer one (`kit history` lists them), or build with `kit run shop`"
    )
    for ask in (
        lambda: store.rollback("shop", "-1"),
        lambda: store.open("shop", "-1"),
        lambda: store.open("shop", clear.version),
    ):
        with pytest.raises(MaskError) as error:
            ask()
        assert str(error.value) == sentence
    assert store.current("shop") == masked
    store.write_pointer(clear, "rollback", [masked.fingerprint], [])  # as an earlier kit rolled back
    with pytest.raises(MaskError):
        store.open("shop")
    (store.folder("shop") / POINTER_FILE).write_text("damaged")
    assert restore_pointer(store, "shop") == masked.version


def test_the_notebooks_of_a_run_that_shows_a_masked_column_are_not_served(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def publish(product: str, run_id: str, inputs: dict[str, Any], **masked: str) -> Snapshot:
        with store.build_lock(product):
            staging, pointer = store.stage(product, run_id, ["people"]), store.read_pointer(product)
            pl.DataFrame({"id": [1], "email": ["ann"]}).write_parquet(staging / "people/data.parquet")
            content = {
                "run_id": run_id, "fingerprint": run_id, "inputs": inputs, "ports": {"people": _entry(masked)},
                "hidden_since": dict.fromkeys(masked, run_id),
            }  # fmt: skip
            return store.publish(product, staging, content, parent=pointer.version if pointer else None)

    clear = publish("shop", "20240101T000000Z-000001", {})
    publish("plan", "20240101T000000Z-000002", {"shop.people": {"version": clear.version}})
    store.refuse_exposed_run("shop", "20240101T000000Z-000001")
    masked = publish("shop", "20240103T000000Z-000001", {}, email="hmac")
    publish("plan", "20240103T000000Z-000002", {"shop.people": {"version": masked.version}})
    for product, run_id, said in (
        ("shop", "20240101T000000Z-000001", "shows people.email, which is masked today"),
        ("plan", "20240101T000000Z-000002", "shows people.email, which is masked today"),  # which read it
        ("shop", "20240102T000000Z-000001", "is older than the masks of email in 'shop'"),  # which failed
        ("plan", "20240102T000000Z-000002", "is older than the masks of email in 'shop'"),
    ):
        with pytest.raises(MaskError, match=said):
            store.refuse_exposed_run(product, run_id)
    store.refuse_exposed_run("shop", "20240103T000000Z-000001")
    store.refuse_exposed_run("plan", "20240103T000000Z-000002")
    store.refuse_exposed_run("plan", "20240104T000000Z-000002")


def test_what_was_masked_in_between_only_is_served(tmp_path: Path) -> None:
    """The newest snapshot decides: a mask that was given up with approval hides nothing of the past."""
    store = Store(tmp_path)
    clear, _, _ = _publish(store), _publish(store, email="hmac"), _publish(store)
    with store.open("shop", clear.version) as snapshot:
        assert snapshot == clear


def test_a_damaged_newest_snapshot_hides_what_the_one_before_it_hides(tmp_path: Path) -> None:
    store = Store(tmp_path)
    clear, _, newest = _publish(store), _publish(store, email="hmac"), _publish(store, email="hmac")
    manifest = newest.folder / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text("{")
    with pytest.raises(KitError, match="is masked today"):
        store.open("shop", clear.version)
