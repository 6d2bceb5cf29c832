"""The key of a worker: equal for equal processes of one environment, different after any change that matters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.orchestration import worker_place


def test_the_key_stays_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    key = worker_place.key()
    monkeypatch.setenv("KIT_STORAGE", "/elsewhere")
    monkeypatch.setenv("DATABASE_TOKEN", "secret")
    assert worker_place.key() == key


def test_variables_that_change_no_result_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from kit.orchestration import worker_place; print(worker_place.key())"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    more = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/tmp/none", "PYTHONSTARTUP": "x.py"}
    keys = {
        subprocess.run([sys.executable, "-c", code], env=variables, check=True, capture_output=True, text=True).stdout
        for variables in (environment, environment | more)
    }
    assert len(keys) == 1


@pytest.mark.parametrize("name", ["PYTHONPATH", "LC_ALL", "HOME", "LD_PRELOAD", "POLARS_MAX_THREADS"])
def test_variables_that_are_read_once_count(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    key = worker_place.key()
    monkeypatch.setenv(name, "other")
    assert worker_place.key() != key
    assert worker_place.variables()[name] == "other"


def test_what_a_library_sets_when_it_is_imported_does_not_count() -> None:
    code = (
        "from kit.orchestration import worker_place; before = worker_place.key(); import polars, dagster, great_expectations; "
        "from dbt.cli.main import dbtRunner; assert worker_place.key() == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_edit_of_the_kit_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    file = tmp_path / "core" / "module.py"
    file.write_text("x = 1\n")
    monkeypatch.setattr(worker_place, "_PACKAGE", str(tmp_path))
    keys = [worker_place.key()]
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "module.pyc").write_text("")
    assert worker_place.key() == keys[0]
    file.write_text("x = 22\n")
    keys.append(worker_place.key())
    os.utime(file, (1, 1))
    keys.append(worker_place.key())
    file.rename(tmp_path / "a.sql")
    keys.append(worker_place.key())
    assert len(set(keys)) == 4
    monkeypatch.setattr(worker_place, "_PACKAGE", str(tmp_path / "gone"))
    with pytest.raises(OSError, match="gone"):
        worker_place.key()


def test_an_installed_package_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "site-packages").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    key = worker_place.key()
    os.utime(tmp_path / "site-packages", (1, 1))
    assert worker_place.key() != key


def test_limits_of_control_groups_count(tmp_path: Path) -> None:
    group = tmp_path / "user.slice" / "run-1.scope"
    group.mkdir(parents=True)
    own = tmp_path / "own"
    own.write_text("0::/user.slice/run-1.scope\n")

    def limited() -> list[tuple[str, ...]]:
        return list(worker_place._limited(str(tmp_path), str(own)))

    assert limited() == []
    (group / "memory.max").write_text("max\n")
    (group / "cpu.max").write_text("max 100000\n")
    assert limited() == []
    (group.parent / "memory.max").write_text("4000000000\n")
    assert [(place, "4000000000" in limits) for _, place, *limits in limited()] == [("/user.slice", True)]
    own.write_text("0::/elsewhere\n")
    assert limited() == [("0::/elsewhere",)]


def test_the_folder_is_one_of_this_user_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert worker_place.folder() == str(tmp_path / "data-mesh-kit")
    assert (tmp_path / "data-mesh-kit").stat().st_mode & 0o777 == 0o700
    (tmp_path / "data-mesh-kit").chmod(0o750)
    assert worker_place.folder() is None
    (tmp_path / "data-mesh-kit").rename(tmp_path / "other")
    (tmp_path / "other").chmod(0o700)
    (tmp_path / "data-mesh-kit").symlink_to("other")
    assert worker_place.folder() is None
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc")
    assert worker_place.folder() is None
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert worker_place.folder() == str(tmp_path / "cache" / "data-mesh-kit")
