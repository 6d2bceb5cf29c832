import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.core.config import Config
from kit.core.mask_key import MASK_KEY, mask_key_hidden, take_keys
from tests.support.small_mesh import SmallMesh

KEY = "0123456789abcdef-of-the-mesh"


def in_a_process(code: str) -> str:
    """The output of Python code that begins with the key in the environment of its process."""
    environment = {**os.environ, MASK_KEY: KEY, "NOT_KIT_MASK_KEY": "other"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_the_key_is_hidden_for_a_time(monkeypatch: pytest.MonkeyPatch, small: SmallMesh) -> None:
    monkeypatch.setenv(MASK_KEY, KEY)
    with mask_key_hidden(), mask_key_hidden():
        assert MASK_KEY not in os.environ
        assert Config.load(small.root).mask_key == KEY
        assert Config.load(small.root, {}).mask_key == ""
    assert os.environ[MASK_KEY] == KEY


def test_earlier_keys_are_taken_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLD_KEYS", "one two")
    assert take_keys("OLD_KEYS") == ("one", "two")
    assert "OLD_KEYS" not in os.environ
    assert take_keys("OLD_KEYS") == ()
    code = "from kit.core import take_keys; take_keys('NOT_KIT_MASK_KEY'); print(open('/proc/self/environ').read())"
    assert sys.platform != "linux" or "NOT_KIT_MASK_KEY=-----" in in_a_process(code)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")
def test_neither_the_process_nor_its_children_show_the_key() -> None:
    code = """
import os, subprocess
from pathlib import Path
from kit.core import Config, mask_key_hidden
with mask_key_hidden():
    print(Path('/proc/self/environ').read_bytes())
    print(subprocess.run(['env'], capture_output=True).stdout)
    print(subprocess.run(['cat', f'/proc/{os.getpid()}/environ'], capture_output=True).stdout)
"""
    shown = in_a_process(code)
    assert KEY not in shown
    assert shown.count("NOT_KIT_MASK_KEY=other") >= 2


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can become another user")
def test_a_process_of_the_same_user_cannot_read_the_memory_with_the_key() -> None:
    code = """
import ctypes, os, subprocess
from kit.core import mask_key_hidden
os.setgid(65534)
os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as after exec
reading = ['sh', '-c', f'cat /proc/{os.getpid()}/environ /proc/{os.getpid()}/maps > /dev/null']
print(subprocess.run(reading, stderr=subprocess.DEVNULL).returncode)
with mask_key_hidden():
    print(subprocess.run(reading, stderr=subprocess.DEVNULL).returncode)
print(subprocess.run(reading, stderr=subprocess.DEVNULL).returncode)
"""
    assert in_a_process(code).split() == ["0", "1", "0"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")
def test_a_server_erases_the_key_and_gives_it_to_the_processes_it_starts() -> None:
    code = """
import os, subprocess
from pathlib import Path
from kit.core import erase_mask_key
erase_mask_key()
print(b'of-the-mesh' in Path('/proc/self/environ').read_bytes(), os.environ['KIT_MASK_KEY'], end=' ')
print(subprocess.run(['printenv', 'KIT_MASK_KEY'], capture_output=True, text=True).stdout)
"""
    assert in_a_process(code).split() == ["False", KEY, KEY]


def test_commands_hide_the_key_from_their_start(small: SmallMesh) -> None:
    macro = small.domains / "shop/models/staging/keyed.sql"
    macro.parent.mkdir()
    macro.write_text("select '{{ env_var('KIT_MASK_KEY') }}' as k\n")
    done = small.kit("run", "shop", KIT_MASK_KEY=KEY)
    assert "Env var required but not provided: 'KIT_MASK_KEY'" in done.stderr
    assert done.returncode == 1
    assert not [path for path in small.config.storage.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_only_processes_that_mask_get_the_key(tmp_path: Path) -> None:
    from kit.core.processes import Processes

    (tmp_path / "pyproject.toml").write_text("[tool.kit]\n")
    processes = Processes(Config.load(tmp_path, {MASK_KEY: KEY}), tmp_path, {})
    code = "import os; print(os.environ.get('KIT_MASK_KEY'))"
    processes.spawn("masks", ["-c", code], masks=True)
    processes.spawn("other", ["-c", code])
    for process in processes._running.values():
        process.wait(20)
    assert [(tmp_path / f"{name}.log").read_text().strip() for name in ("masks", "other")] == [KEY, "None"]
