import os
import threading

import pytest

from kit.build.build import build
from kit.build.plan import BuildRequest
from kit.build.product_lock import product_lock
from kit.core.errors import Busy
from tests.support.small_mesh import SmallMesh


def test_catalogs_that_a_killed_build_left_behind_are_repaired(small: SmallMesh) -> None:
    small.snapshot("shop", "totals", {"item": ["cake"], "amount": ["170"]})
    catalog = small.store.folder("shop") / "catalog.yaml"
    text = catalog.read_text()
    catalog.write_text("metadata: {snapshot_version: older}\n")
    with product_lock(small.config, small.product("shop")):
        assert catalog.read_text() == text


def test_the_masking_key_is_hidden_until_the_end(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_MASK_KEY", "k" * 16)
    with product_lock(small.config, small.product("shop")):
        assert "KIT_MASK_KEY" not in os.environ
    assert os.environ["KIT_MASK_KEY"] == "k" * 16


def test_one_process_at_a_time(small: SmallMesh) -> None:
    product = small.product("shop")
    with product_lock(small.config, product), pytest.raises(Busy), product_lock(small.config, product):
        pass
    with product_lock(small.config, product):
        pass


def test_a_build_waits_for_another_run_and_says_so(small: SmallMesh) -> None:
    version = small.publish("shop")
    released = threading.Event()

    def hold() -> None:
        with small.store.build_lock("shop"):
            held.set()
            released.wait(30)

    held, holder = threading.Event(), threading.Thread(target=hold)
    holder.start()
    assert held.wait(30)
    busy = build(small.config, small.product("shop"))
    assert (busy.status, busy.busy) == ("failed", True)
    threading.Timer(0.5, released.set).start()
    waited = build(small.config, small.product("shop"), BuildRequest(wait=True))
    holder.join()
    assert (waited.status, waited.version, waited.message) == ("up to date", version, "built by another run meanwhile")
