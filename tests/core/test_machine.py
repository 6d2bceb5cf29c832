import errno
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from kit.core.errors import InvalidFile, KitError
from kit.core.machine import machine_problem

SPACE = "no space is left on the disk; free some, for instance with `kit prune --keep 1`"


def failure(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path)


def test_a_failure_of_the_machine_is_named_with_its_folder_and_what_helps() -> None:
    assert machine_problem(failure(errno.ENOSPC)) == SPACE
    assert machine_problem(failure(errno.ENOSPC, "/mnt/mesh/.index.json.7")) == f"/mnt/mesh: {SPACE}"
    assert machine_problem(MemoryError()) == "no memory is left; end other programs, or give this one more"


@pytest.mark.parametrize(
    "number",
    [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EROFS, errno.EACCES, errno.EIO, errno.EFBIG, errno.EDQUOT],
)
def test_each_resource_and_right_has_a_sentence(number: int) -> None:
    text = machine_problem(failure(number))
    assert "; " in text
    assert os.strerror(number) not in text


@pytest.mark.parametrize(
    "words",
    [
        "IO Error: Could not write file: No space left on device", "(sqlite3.OperationalError) database or disk is full",
        "Too many open files (os error 24)", "Out of Memory Error: failed to allocate data of size 1.0 MiB",
    ],
)  # fmt: skip
def test_words_of_libraries_are_known(words: str) -> None:
    assert machine_problem(RuntimeError(words))
    assert machine_problem(words)


def test_the_limits_of_duckdb_name_their_settings(tmp_path: Path) -> None:
    hungry = "select length(string_agg(hash(i)::varchar, ',')) from range(3000000) t(i)"
    settings = {"memory_limit": "30MB", "threads": 1, "temp_directory": str(tmp_path / "spill")}
    with duckdb.connect(config=settings) as connection, pytest.raises(duckdb.Error) as caught:
        connection.execute(hungry).fetchall()
    assert "`memory_limit` in [tool.kit]" in machine_problem(caught.value)
    full = duckdb.OutOfMemoryException(
        "Out of Memory Error: failed to offload data block of size 256.0 KiB (1.0 MiB/1.0 MiB used)."
    )
    assert "`spill_folder` in [tool.kit]" in machine_problem(full)


def test_a_cause_counts_and_other_errors_are_left_alone() -> None:
    error = RuntimeError("x")
    error.__cause__ = failure(errno.ENOSPC)
    assert machine_problem(error) == SPACE
    for other in (ValueError("5 is no date"), KeyError("a"), KitError("no space left on device"), InvalidFile("x")):
        assert machine_problem(other) == ""


@pytest.mark.parametrize(
    ("soft", "hard", "says"), [(60, 4096, "4096 4096"), (60, 60, "may open 60; raise"), (127, 128, "128 128")]
)
def test_a_process_may_open_the_files_of_a_build_or_says_that_it_may_not(soft: int, hard: int, says: str) -> None:
    code = (
        f"import resource as r; from kit.core import need_resources; r.setrlimit(r.RLIMIT_NOFILE, ({soft}, {hard}));"
        "need_resources(); print(*r.getrlimit(r.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert says in done.stdout + done.stderr


@pytest.mark.parametrize(("megabytes", "says"), [(1000, "may use 1000 MB; raise the limit"), (2000, "enough")])
def test_a_process_has_the_memory_of_a_build_or_says_that_it_has_not(megabytes: int, says: str) -> None:
    code = (
        f"import resource as r; from kit.core import need_resources; r.setrlimit(r.RLIMIT_AS, ({megabytes}_000_000,) * 2);"
        "need_resources(); print('enough')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert says in done.stdout + done.stderr
