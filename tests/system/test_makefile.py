"""The Makefile makes the environment with a Python that the kit runs on, whichever Pythons a machine has."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Says that it is another version, and makes an environment with itself.
INTERPRETER = """\
#!/bin/sh
case "$1" in
-c) exec {python} -c 'import sys; sys.version_info = ({minor}, 1, "final", 0); exec(sys.argv[1])' "$2" ;;
-m) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with a Makefile, and Pythons 3.10 to 3.14 in `bin`."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for minor in range(10, 15):
        interpreter(tmp_path / f"bin/python3.{minor}", minor)
    return tmp_path


def interpreter(path: Path, minor: int) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(INTERPRETER.format(python=sys.executable, minor=f"3, {minor}"))
    path.chmod(0o755)


def make(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(
        ["make", ".venv/bin/python", *arguments], cwd=machine, capture_output=True, text=True, check=False,
        env={**environment, "PATH": f"{machine / 'bin'}:{environment['PATH']}"},
    )  # fmt: skip


def made_with(machine: Path) -> str:
    done = subprocess.run(
        [machine / ".venv/bin/python", "-c", "print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["python3.10", "python3.14"])
def test_a_python_that_the_kit_does_not_run_on_is_refused_in_a_sentence(machine: Path, name: str) -> None:
    done = make(machine, f"PYTHON={name}")
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"{name} is Python {name.removeprefix('python')}, and the kit runs on Python 3.11, 3.12 and 3.13: "
        "install one of them, then call make with PYTHON=python3.12\n"
    )
    assert not (machine / ".venv").exists()


def test_a_python_that_is_not_there_is_named(machine: Path) -> None:
    assert make(machine, "PYTHON=python9").stderr.startswith("python9 is not installed, and the kit runs on Python 3.11, ")


@pytest.mark.parametrize("name", ["python3.11", "python3.12", "python3.13"])
def test_an_environment_of_a_python_that_was_not_asked_for_is_made_anew(machine: Path, name: str) -> None:
    interpreter(machine / "python", 10)
    subprocess.run([machine / "python", "-m", "venv"], cwd=machine, check=True)
    (machine / ".venv/.run").touch()  # an installation that must not count
    make(machine, f"PYTHON={name}")
    assert f"python{made_with(machine)}" == name
    assert not (machine / ".venv/.run").exists()


@pytest.mark.parametrize(("default", "made"), [(10, "3.13"), (11, "3.11"), (12, "3.12"), (14, "3.13")])
def test_without_a_choice_the_first_python_that_fits_is_taken_and_kept(machine: Path, default: int, made: str) -> None:
    interpreter(machine / "bin/python3", default)
    assert make(machine).returncode == 0
    assert made_with(machine) == made
    interpreter(machine / "bin/python3", 11)
    make(machine)
    assert made_with(machine) == made


def test_without_a_choice_an_environment_that_does_not_fit_is_made_anew(machine: Path) -> None:
    interpreter(machine / "python", 10)
    subprocess.run([machine / "python", "-m", "venv"], cwd=machine, check=True)
    interpreter(machine / "bin/python3", 12)
    assert ".venv is of Python 3.10: making it anew with 3.12" in make(machine).stdout
    assert made_with(machine) == "3.12"
