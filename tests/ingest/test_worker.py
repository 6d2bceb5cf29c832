import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.files import write


def ask(tmp_path: Path, code: str, *sources: str) -> list[dict[str, Any]]:
    """The answers of a process for one call after the other."""
    write(tmp_path / "shop/ingest.py", code)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        arguments = [str(theirs.fileno()), str(tmp_path / "shop"), "shop", str(tmp_path)]
        ours.sendall(
            b"".join(
                json.dumps({"call": "read", "source": name, "label": f"shop.raw.{name}"}).encode() + b"\n" for name in sources
            )
        )
        ours.shutdown(socket.SHUT_WR)
        subprocess.run([sys.executable, "-m", "kit.ingest.worker", *arguments], pass_fds=(theirs.fileno(),), check=True)
        theirs.close()
        return [json.loads(line) for line in ours.makefile()]


def test_the_functions_of_one_file_are_called_in_one_process(tmp_path: Path) -> None:
    code = "import polars\nseen = []\ndef a():\n    seen.append(1)\n    return 'a.csv'\n"
    code += "def b():\n    return polars.DataFrame({'n': seen})\n"
    assert ask(tmp_path, code, "a", "b") == [
        {"paths": ["a.csv"], "is_frame": False, "delivered": None},
        {"paths": [str(tmp_path / "b/frame.parquet")], "is_frame": True, "delivered": None},
    ]
    import polars

    assert polars.read_parquet(tmp_path / "b/frame.parquet")["n"].to_list() == [1]


def test_a_failure_says_why_it_may_pass_and_which_file_was_refused(tmp_path: Path) -> None:
    code = (
        "def a():\n    raise RuntimeError('sync failed') from ConnectionError('gone')\n"
        "def b():\n    raise RuntimeError('no rows') from PermissionError(13, 'Permission denied', '/data/x.csv')\n"
    )
    assert ask(tmp_path, code, "a", "b") == [
        {
            "problem": "a() failed",
            "cause": "RuntimeError: sync failed",
            "passing": "the network failed",
            "refused": None,
            "in_file": True,
        },
        {"problem": "b() failed", "cause": "RuntimeError: no rows", "passing": "", "refused": "/data/x.csv", "in_file": True},
    ]


def test_a_function_that_forks_or_closes_its_output_has_one_answer(tmp_path: Path) -> None:
    code = (
        "import os, sys\ndef a():\n    os.fork()\n    return 'a.csv'\n"
        "def b():\n    sys.stdout.close()\n    return 'b.csv'\ndef c():\n    sys.stdout = None\n    return 'c.csv'\n"
    )
    assert [answer["paths"] for answer in ask(tmp_path, code, "a", "b", "c")] == [["a.csv"], ["b.csv"], ["c.csv"]]


def test_the_process_starts_without_the_modules_that_it_does_not_need() -> None:
    code = "import sys, kit.ingest.worker; from kit.ingest import package_file; print('kit.contracts' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
