"""Ctrl-C and SIGTERM at any moment of a build: it ends within seconds, says one sentence and publishes nothing afterwards."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kit.storage.store import Store
from tests.support.ending import end_with_parent
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh
from tests.support.workers import environment

MOMENTS = 20
SECONDS = 10  # two on an idle machine
SAID = "interrupted; readers keep the snapshots they had"


@pytest.mark.heavy
@pytest.mark.parametrize("options", [[], ["--no-worker"]], ids=["by the worker", "itself"])
def test_a_signal_ends_a_build_at_any_moment(small: SmallMesh, tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "runtime").mkdir()
    variables = environment(tmp_path / "runtime")
    command = [sys.executable, "-m", "kit", "run", "shop", "--force", *options]
    kit = [sys.executable, "-m", "kit", "worker"]
    if not options:
        subprocess.run([*kit, "start"], cwd=small.root, env=variables, check=True)
        while (
            "imports" in subprocess.run([*kit, "status"], cwd=small.root, env=variables, capture_output=True, text=True).stdout
        ):
            time.sleep(1)
    started = time.monotonic()
    subprocess.run(command, cwd=small.root, env=variables, check=True, capture_output=True)
    whole = time.monotonic() - started
    moments = random.Random(7)
    try:
        for number in range(MOMENTS):
            sent = signal.SIGINT if number % 2 else signal.SIGTERM
            process = subprocess.Popen(
                command, cwd=small.root, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                preexec_fn=end_with_parent,
            )  # fmt: skip
            time.sleep(0.15 + moments.uniform(0, whole))
            ended, before = process.poll() is not None, Store(small.config.storage).read_pointer("shop")
            process.send_signal(sent)
            at = time.monotonic()
            out, said = process.communicate(timeout=HANG)
            seconds = time.monotonic() - at
            case = (number, sent.name, seconds, process.returncode, said)
            assert seconds < SECONDS, case
            if not ended and process.returncode != 0:  # it was over at that moment
                assert process.returncode in (128 + sent, -sent), case
                assert "Traceback" not in said, case
                assert said.strip() in (SAID, "interrupted", ""), case
                time.sleep(1)
                after = Store(small.config.storage).read_pointer("shop")
                assert after == before or "published" in out, case
    finally:
        subprocess.run([*kit, "stop"], cwd=small.root, env=variables, check=True)
