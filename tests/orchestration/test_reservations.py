"""Runs at the same time: what one has reserved is left to it, and named in one sentence."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from kit.build.progress import Progress
from kit.core.locks import lock
from kit.orchestration.reservations import Reservations
from kit.storage.store import Store
from tests.support.ending import end_with_parent
from tests.support.files import write
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh


def test_a_product_is_reserved_once_until_it_is_released_or_the_run_ends(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with Reservations(store) as first, Reservations(store) as second:
        assert (first.take("shop"), first.take("shop"), first.take("plan")) == (None, None, None)
        taken = second.take("shop")
        assert taken is not None
        assert (taken.busy, taken.failed) == (True, True)
        assert taken.message.startswith("'shop' is being built by process ")
        first.release("shop")
        assert second.take("shop") is None
        assert second.take("plan") is not None
    with Reservations(store) as third:
        assert (third.take("shop"), third.take("plan")) == (None, None)


def test_only_the_products_of_other_runs_are_waited_for(small: SmallMesh) -> None:
    path, waits = small.config.storage / "products/plan/.run.lock", []
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys, time; from pathlib import Path; from kit.core.locks import lock\n"
         "with lock(Path(sys.argv[1]), wait=True): print(flush=True); time.sleep(1)", str(path)], stdout=subprocess.PIPE
    )  # fmt: skip
    assert holder.stdout is not None
    holder.stdout.readline()
    with Reservations(small.store) as reserved:
        progress = Progress(end=lambda product, step, result, seconds: waits.append((product, step, result)))
        assert reserved.wait_for(small.mesh.products, progress) == {"plan"}
        with lock(path, wait=False) as free:
            assert not free
    assert waits == [("plan", "wait", "for another run")]
    holder.communicate()


INGEST = """
import time
from pathlib import Path
def sales():
    Path("domains/shop/begun").touch()
    while not Path("domains/shop/go").exists():
        time.sleep(0.05)
    return "../../feed/sales.csv"
"""


@pytest.mark.slow
def test_of_two_runs_at_once_the_second_says_so_or_waits_and_the_first_succeeds(small: SmallMesh) -> None:
    write(small.domains / "shop/ingest.py", INGEST)
    command = [sys.executable, "-m", "kit", "run"]
    first = subprocess.Popen(
        command, cwd=small.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent
    )
    while not (small.domains / "shop/begun").exists():
        assert first.poll() is None, first.communicate()
        time.sleep(0.05)
    second = small.kit("run")
    assert (second.returncode, second.stderr) == (
        1, "shop, plan are being built by another run; wait for it with `kit run --wait`, or stop it and run again\n"
    )  # fmt: skip
    third = subprocess.Popen(
        [*command, "--wait"],
        cwd=small.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=end_with_parent,
    )
    time.sleep(2)
    (small.domains / "shop/go").touch()
    results = [(process.communicate(timeout=HANG), process.returncode) for process in (first, third)]
    assert [(err, code) for (_, err), code in results] == [("", 0), ("", 0)]
    assert "plan         wait       for another run" in results[1][0][0]
    assert "published" not in results[1][0][0]
