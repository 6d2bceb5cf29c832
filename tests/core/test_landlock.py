import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.core import landlock

pytestmark = pytest.mark.skipif(not landlock.version(), reason="this system has no Landlock")


def test_the_program_confines_itself_and_becomes_the_command(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open/a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    ruleset = landlock.new_ruleset()
    try:
        for place in ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", str(tmp_path / "open"), str(tmp_path / "missing")):
            landlock.add(ruleset, place, landlock.READ)
        code = 'cat "$1/open/a.txt" "$1/b.txt"; ls /proc/self/fd/$2; exit 7'
        command = [sys.executable, landlock.__file__, str(ruleset), "/bin/sh", "-c", code, "sh", str(tmp_path), str(ruleset)]
        done = subprocess.run(command, pass_fds=[ruleset], capture_output=True, text=True, check=False)
    finally:
        os.close(ruleset)
    assert (done.returncode, done.stdout) == (7, "a")
    refused, missing = done.stderr.strip().splitlines()
    assert refused.endswith(f"{tmp_path}/b.txt: Permission denied")
    assert "No such file" in missing  # the descriptor of the rules is closed
