"""`kit.run()` in a process of its own, which the worker executes."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh
from tests.support.workers import ROOT, environment, files, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of processes that may use a worker, which is stopped at the end."""
    found = environment(tmp_path_factory.mktemp("runtime"))
    yield found
    processes = [psutil.Process(int(path.read_text())) for path in files(found) if path.suffix == ".lock"]
    subprocess.run([sys.executable, "-m", "kit", "worker", "stop"], cwd=ROOT, env=found, check=True)
    assert psutil.wait_procs(processes, timeout=HANG)[1] == []


@pytest.fixture
def worker(variables: dict[str, str]) -> psutil.Process:
    """The worker, which accepts commands."""
    subprocess.run([sys.executable, "-m", "kit", "worker", "start"], cwd=ROOT, env=variables, check=True)
    wait_for(lambda: len(files(variables)) == 3)
    return psutil.Process(int(next(path for path in files(variables) if path.suffix == ".lock").read_text()))


def test_a_run_of_a_notebook_is_executed_by_the_worker(
    variables: dict[str, str], worker: psutil.Process, small: SmallMesh
) -> None:
    import nbformat
    from nbclient import NotebookClient

    cells = [
        "import sys\nimport kit\nresult = kit.run('plan', upstream=True, parameters={'factor': 3.0})",
        "print([f'{outcome.product} {outcome.status}' for outcome in result], 'dbt' in sys.modules)",
        "print(kit.read('plan.forecast').height)",
        "try:\n    kit.run('shop', partitions=['tea'])\nexcept Exception as error:\n    print(type(error).__name__, error)",
        "open('domains/shop/product.odps.yaml', 'a').write('wrong: [')\n"
        "try:\n    kit.run()\nexcept Exception as error:\n    print(type(error).__name__, error)",
    ]
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    client = NotebookClient(notebook, timeout=HANG, resources={"metadata": {"path": str(small.root)}})
    client.execute(env=variables)
    assert "interrupted" not in str(notebook.cells)
    shown = [["".join(output.get("text", "")) for output in cell.outputs] for cell in notebook.cells]
    assert "checks passed" in str(notebook.cells[0].outputs)  # the steps, as they were told
    assert shown[1] == ["['shop published', 'plan published'] False\n"]
    assert shown[2] == ["2\n"]
    assert shown[3] == ["UnknownName none of shop has partitions; leave the partition out\n"]
    assert "shop is broken: " in "".join(shown[4])
    assert worker.is_running()
    assert small.store.current("plan")


def test_an_interrupted_call_publishes_nothing_and_leaves_no_process(variables: dict[str, str], small: SmallMesh) -> None:
    small.publish("shop")
    before = str(small.store.read_pointer("shop"))
    small.replace("domains/shop/ingest.py", "    return", "    import time\n    time.sleep(3600)\n    return")
    program = "import kit\ntry:\n    kit.run('shop', force=True)\nexcept KeyboardInterrupt:\n    print('interrupted')"
    caller = subprocess.Popen([sys.executable, "-c", program], cwd=small.root, env=variables, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: _landing(small))
    caller.send_signal(signal.SIGINT)
    assert caller.communicate(timeout=HANG)[0].splitlines()[-1] == "interrupted"
    assert _landing(small) == []
    assert str(small.store.read_pointer("shop")) == before


def _landing(small: SmallMesh) -> list[int]:
    """The processes that land sources of this mesh."""
    found = psutil.process_iter(["pid", "cmdline"])
    return [
        process.pid
        for process in found
        if "kit.ingest.worker" in " ".join(process.info["cmdline"] or ()) and str(small.root) in str(process.info["cmdline"])
    ]
