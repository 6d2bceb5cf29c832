import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support.builds import dbt_targets
from tests.support.ending import end_with_parent
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh


def test_selection_downstream_and_upstream(small: SmallMesh) -> None:
    outcomes = json.loads(small.kit("run", "plan.forecast", "--upstream", "--json").stdout)
    assert [outcome["product"] for outcome in outcomes] == ["shop", "plan"]
    outcomes = json.loads(small.kit("run", "shop", "--downstream", "--json").stdout)
    assert [(outcome["product"], outcome["status"]) for outcome in outcomes] == [("shop", "up to date"), ("plan", "up to date")]


def test_prune_reports_what_it_left_and_removes_a_product_without_a_folder(small: SmallMesh) -> None:
    for item in ("tea", "cake"):
        small.snapshot("shop", "sales", {"item": [item], "amount": ["1.50"]})
    version = small.snapshot("gone", "sales", {"item": ["tea"], "amount": ["1.50"]})
    left = "not touched, since this repository has no domain of them: gone; `kit prune gone --everything` removes all of them\n"
    look = small.kit("prune", "--keep", "1", "--dry-run")
    assert (look.returncode, look.stdout, look.stderr) == (0, "shop: 1 snapshot would be deleted\n", left)
    (small.domains / "shop/product.odps.yaml").write_text("nonsense: [")
    with small.store.build_lock("shop"):
        busy = small.kit("prune", "shop", "--keep", "1")
    assert (busy.returncode, busy.stderr) == (1, "shop was not pruned: the product is being built\n")
    done = small.kit("prune", "--keep", "1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "shop: 1 snapshot deleted\n", left)
    refused = small.kit("prune", "shop", "--everything")
    assert (refused.returncode, "'shop' has a folder below" in refused.stderr) == (2, True)
    assert small.kit("prune", "gone", "--everything", "--dry-run").stdout == "gone: 1 snapshot would be deleted\n"
    assert small.store.folder("gone").exists()
    assert small.kit("prune", "gone", "--everything", "--json").stdout == (
        f'{{\n "gone": [\n  {{\n   "version": "{version}",\n   "kept_because": null\n  }}\n ]\n}}\n'
    )
    assert not small.store.folder("gone").exists()
    assert small.kit("prune", "gone", "--keep", "1").returncode == 1


def test_an_undeclared_parameter_is_refused(small: SmallMesh) -> None:
    small.publish("shop")
    done = small.kit("run", "plan", "-p", "horizon=3")
    assert done.returncode == 1
    assert done.stderr == "error: no notebook of plan has a parameter 'horizon'\n"


def test_parameters_go_to_those_that_declare_them(small: SmallMesh) -> None:
    outcomes = json.loads(small.kit("run", "-p", "factor=3", "--json").stdout)
    assert [(outcome["product"], outcome["status"]) for outcome in outcomes] == [("shop", "published"), ("plan", "published")]
    assert json.loads(small.kit("read", "plan.forecast", "--json").stdout)[0] == {"item": "cake", "amount": 510.0}


def test_a_second_build_at_the_same_time_names_the_first(small: SmallMesh) -> None:
    with small.store.build_lock("shop"):
        done = small.kit("run", "shop")
    assert done.returncode == 1
    assert (
        done.stderr
        == f"'shop' is being built by process {os.getpid()}; wait for it with `kit run --wait`, or stop it and run again\n"
    )


FORKS = """
import os, sys
import dagster
import kit.cli.main, kit.orchestration.executor, kit.orchestration.definitions  # once for all forks

def fork(act, *arguments):
    child = os.fork()
    if not child:
        act(*arguments)
        os._exit(0)
    return child

def lane(number):
    os.chdir(f"mesh{number}")
    for time in range(5):
        os.waitpid(fork(kit_run, time), 0)

def kit_run(time):
    for descriptor, name in ((1, "out"), (2, "err")):
        with open(f"{time}.{name}", "wb") as file:
            os.dup2(file.fileno(), descriptor)
    sys.argv = ["kit", "run", "shop"]
    kit.cli.main.main()

for child in [fork(lane, number) for number in range(10)]:
    os.waitpid(child, 0)
"""


@pytest.mark.heavy
def test_of_50_failing_runs_on_a_busy_machine_each_prints_its_reason_whole(small: SmallMesh, tmp_path: Path) -> None:
    """Ten at a time, and each fails in a step of Dagster, which redirects the output."""
    small.feed.unlink()
    for number in range(10):
        shutil.copytree(small.root, tmp_path / f"mesh{number}")
    subprocess.run([sys.executable, "-c", FORKS], cwd=tmp_path, check=True, timeout=560)
    for number in range(10):
        root = tmp_path / f"mesh{number}"
        reason = f"shop.raw.sales: {root}/feed/sales.csv does not exist; return the path of a file"
        for time_ in range(5):
            assert (root / f"{time_}.err").read_text().replace("domains/shop/../../", "") == f"{reason}\n"
            lines = (root / f"{time_}.out").read_text().splitlines()
            assert (lines[0], lines[-1].split()[:2]) == ("1 data product: shop", ["shop", "failed"])


def test_an_interrupted_build_exits_130_and_the_next_one_works(small: SmallMesh) -> None:
    small.notebook("plan", "forecast", ["import time; time.sleep(60)", "import kit; kit.output('forecast', 1)"])
    small.publish("shop")
    command = [sys.executable, "-m", "kit", "run", "plan"]
    process = subprocess.Popen(
        command, cwd=small.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent
    )
    kernels: list[psutil.Process] = []
    deadline = time.monotonic() + HANG
    while not kernels and time.monotonic() < deadline:
        time.sleep(0.2)
        children = psutil.Process(process.pid).children(recursive=True)
        with suppress(psutil.NoSuchProcess):
            kernels = [child for child in children if "kernel_program.py" in " ".join(child.cmdline())]
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=HANG)
    assert process.returncode == 130
    assert err.strip().endswith("interrupted; readers keep the snapshots they had")
    assert kernels
    assert psutil.wait_procs(kernels, timeout=HANG)[1] == []
    assert small.build("shop").status == "up to date"


def test_an_interrupt_during_dbt_stops_the_run(small: SmallMesh) -> None:
    promised = "sale_id + 0 * slow.n as sale_id, item, amount, sold_on"
    small.replace("domains/shop/models/marts/sales.sql", "select *", f"select {promised}")
    slow = "cross join (select count(*) as n from range(100000) a, range(10000000) b where a.range + b.range < 0) slow"
    small.replace("domains/shop/models/marts/sales.sql", "order by", f"{slow} order by")
    command = [sys.executable, "-m", "kit", "run"]
    process = subprocess.Popen(
        command, cwd=small.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent
    )
    deadline = time.monotonic() + HANG
    while not dbt_targets(small.config.storage, "shop") and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=HANG)
    finally:
        process.kill()
    assert process.returncode == 130, out + err
    assert "plan" not in [line.split()[0] for line in out.splitlines()[1:] if line]


def test_storage_that_cannot_be_written_is_one_message(small: SmallMesh) -> None:
    done = small.kit("run", "shop", KIT_STORAGE="/proc/nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("error: the storage cannot be written: /proc/nowhere/")
    assert "Traceback" not in done.stderr
