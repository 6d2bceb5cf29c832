import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.core import landlock
from kit.core.confinement import Places, confined, environment, refused_path
from kit.core.mask_key import MASK_KEY


def run(places: Places, temp: Path, code: str) -> str:
    with confined(places, temp) as (prefix, descriptors):
        done = subprocess.run(
            [*prefix, sys.executable, "-c", code],
            pass_fds=descriptors,
            env=environment(temp, {}),
            capture_output=True,
            text=True,
            check=False,
        )
    return done.stdout + done.stderr


def tried(places: Places, temp: Path, *attempts: str) -> list[str]:
    """What became of each statement in a confined process: `done`, or the name of the error."""
    code = f"""
import os
for attempt in {attempts!r}:
    try:
        exec(attempt)
        print("done")
    except OSError as error:
        print(type(error).__name__)
"""
    return run(places, temp, code).split()


@pytest.fixture
def temp(tmp_path: Path) -> Path:
    folder = tmp_path / "temp"
    folder.mkdir()
    return folder


def test_this_system_confines_where_it_is_expected_to() -> None:
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    if sys.platform == "linux" and release >= (6, 2):
        assert landlock.version() >= 3, "Landlock is switched off: notebooks and ingest.py are not confined here"
    else:
        assert landlock.version() >= 0


def test_only_declared_files_are_opened(tmp_path: Path, temp: Path) -> None:
    for name in ("own/a.txt", "given/b.txt", "given/deep/c.txt", "other/d.txt", "file.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    places = Places(read=(tmp_path / "given", tmp_path / "file.txt"), write=(tmp_path / "own",))
    allowed = (
        f"open('{tmp_path}/given/deep/c.txt').read()",
        f"open('{tmp_path}/file.txt').read()",
        f"open('{tmp_path}/own/a.txt', 'w').write('y')",
        f"os.mkdir('{tmp_path}/own/new'), os.rename('{tmp_path}/own/a.txt', '{tmp_path}/own/b.txt')",
        f"open('{temp}/t', 'w').write('y'), os.symlink('t', '{temp}/link'), open('{temp}/link').read()",
        "import sqlite3, ssl, zoneinfo; ssl.create_default_context(); zoneinfo.ZoneInfo('Europe/Berlin')",
        "open('/proc/self/status').read(), open('/dev/null', 'w').write('x'), open('/dev/urandom', 'rb').read(1)",
    )
    refused = (
        f"open('{tmp_path}/other/d.txt').read()",
        f"os.listdir('{tmp_path}')",
        f"open('{tmp_path}/file.txt', 'a')",
        f"os.truncate('{tmp_path}/file.txt', 0)",
        f"open('{tmp_path}/given/new', 'w')",
        f"os.unlink('{tmp_path}/given/b.txt')",
        f"os.rename('{tmp_path}/given/b.txt', '{temp}/b.txt')",
        f"os.link('{tmp_path}/given/b.txt', '{temp}/b.txt')",
        f"open('{tmp_path}/other/new', 'w')",
        f"os.symlink('/etc/shadow', '{tmp_path}/own/link')",
        f"os.symlink('{tmp_path}/other/d.txt', '{temp}/way'); open('{temp}/way').read()",
        "open('/etc/shadow').read()",
        "open('/proc/self/root' + '/etc/shadow').read()",
        "open(f'/proc/{os.getppid()}/environ').read()",
        "os.kill(os.getppid(), 0)",
    )
    assert tried(places, temp, *allowed) == ["done"] * len(allowed)
    assert set(tried(places, temp, *refused)) <= {"PermissionError", "OSError"}  # OSError: a move between folders
    child = (
        f"import subprocess; print(subprocess.run(['cat', '{tmp_path}/other/d.txt'], capture_output=True, text=True).stderr)"
    )
    assert "Permission denied" in run(places, temp, child)
    assert (tmp_path / "file.txt").read_text() == "x"


def test_hidden_folders_are_left_out_of_others(tmp_path: Path, temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "mesh/shared.py",
        "mesh/README.md",
        "mesh/package/__init__.py",
        "mesh/storage/x.txt",
        "lib/own/y.txt",
        "lib/z.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "mesh"))
    places = Places(read=(tmp_path / "lib",), hidden=(tmp_path / "mesh/storage", tmp_path / "lib/own"))
    files = ("mesh/shared.py", "mesh/package/__init__.py", "lib/z.txt", "mesh/README.md", "mesh/storage/x.txt", "lib/own/y.txt")
    attempts = [f"open('{tmp_path / name}')" for name in files]
    assert tried(places, temp, *attempts) == ["done"] * 3 + ["PermissionError"] * 3
    assert [places.allow(tmp_path / name) for name in files] == [True] * 3 + [False] * 3


def test_a_link_is_judged_by_its_target(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/link.csv").symlink_to(tmp_path / "secret.csv")
    places = Places(write=(tmp_path / "own",))
    assert places.allow(tmp_path / "own/data.csv")
    assert not places.allow(tmp_path / "own/link.csv")


def test_the_environment_has_own_folders_and_no_masking_key(temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MASK_KEY, "the key of the mesh")
    monkeypatch.setenv("INHERITED", "x")
    variables = environment(temp, {"MORE": "y"})
    assert MASK_KEY not in variables
    assert (variables["INHERITED"], variables["MORE"], variables["TMPDIR"]) == ("x", "y", str(temp))
    assert variables["MPLCONFIGDIR"] == str(temp / "matplotlib")


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ("PermissionError: [Errno 13] Permission denied: '/data/in box/x.csv'", "/data/in box/x.csv"),
        ('IOException: IO Error: Cannot open file "/data/x.parquet": Permission denied', "/data/x.parquet"),
        ("PermissionError: Permission denied (os error 13): /data/x.parquet", "/data/x.parquet"),
        ("PermissionError: Permission denied (os error 13): ../data/x.parquet", "/mesh/../data/x.parquet"),
        ("Permission denied (os error 13): /data/in box, it's/x.csv\n\nThis error occurred while", "/data/in box, it's/x.csv"),
        ("Permission denied (os error 13): ...ome/in box/x.csv (set POLARS_VERBOSE=1 to see full path)", "...ome/in box/x.csv"),
        ("PermissionError: [Errno 13] Permission denied: 'data/x y.csv'", "/mesh/data/x y.csv"),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/data/x.csv'", None),
        ("[Errno 13] Permission denied", None),
    ],
)
def test_the_refused_path_of_a_message(message: str, path: str | None) -> None:
    assert refused_path(message, Path("/mesh")) == (Path(path) if path else None)
    assert not (path or "").startswith("...") or not Places(read=(Path.cwd(),)).allow(Path(str(path)))
