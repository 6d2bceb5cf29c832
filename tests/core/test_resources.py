import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kit.core import database, resources
from kit.core.config import Config
from kit.core.resources import Resources, machine_memory, machine_threads

MB = 1_000_000
BIG = "select count(*) from (select distinct hash(i) from range(6000000) t(i))"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "pyproject.toml").write_text("[tool.kit]\nstorage = 'state'\nmemory_limit = '100MB'\nthreads = 2\n")
    return Config.load(tmp_path, {})


def cgroups(root: Path, own: str, **values: str) -> tuple[str, str]:
    """The folder of cgroups and the file that names those of this process; values by path, with `__` for a slash."""
    for name, text in values.items():
        path = root / "cgroup" / name.replace("__", "/").replace("_max", ".max")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    (root / "own").write_text(own)
    return str(root / "cgroup"), str(root / "own")


def test_the_smallest_limit_of_a_cgroup_and_those_above_it_counts(tmp_path: Path) -> None:
    places = cgroups(tmp_path, "0::/a/b\n", memory_max="max", a__memory_max=str(300 * MB), a__b__memory_max=str(500 * MB))
    assert machine_memory(*places) == 300 * MB
    places = cgroups(tmp_path, "0::/on/the/host\n", memory_max=str(200 * MB))  # as a container sees its own
    assert machine_memory(*places) == 200 * MB


def test_cgroups_of_version_1_count_too(tmp_path: Path) -> None:
    folder = tmp_path / "cgroup"
    for path, text in {
        "memory/docker/memory.limit_in_bytes": 700 * MB, "memory/memory.limit_in_bytes": 9223372036854771712,
        "cpu/docker/cpu.cfs_quota_us": 50_000, "cpu/docker/cpu.cfs_period_us": 100_000, "cpu/cpu.cfs_quota_us": -1,
        "cpu/cpu.cfs_period_us": 100_000,
    }.items():  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"{text}\n")
    (tmp_path / "own").write_text("5:memory:/docker\n3:cpu,cpuacct:/docker\n0::/\n")
    assert machine_memory(str(folder), str(tmp_path / "own")) == 700 * MB
    assert machine_threads(str(folder), str(tmp_path / "own")) == 1


def test_a_quota_of_processors_is_rounded_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    assert machine_threads(*cgroups(tmp_path, "0::/a\n", cpu_max="max 100000", a__cpu_max="250000 100000")) == 3
    assert machine_threads(*cgroups(tmp_path, "0::/\n", cpu_max="max 100000")) == 16


def test_without_cgroups_the_machine_counts(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert machine_memory(nowhere, nowhere) == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert machine_threads(nowhere, nowhere) >= 1


def test_builds_at_once_share_the_memory(config: Config) -> None:
    assert Resources.of(config, {}).memory == 100 * MB
    default = Resources.of(Config(config.root, config.storage), {})
    assert Resources.of(Config(config.root, config.storage), {"KIT_BUILDS_AT_ONCE": "3"}).memory == default.memory // 3


def test_a_connection_has_the_limits_of_the_mesh_and_spills_into_a_private_folder(config: Config) -> None:
    with resources.limited(config), database.connect() as connection:
        settings = "select current_setting('memory_limit'), current_setting('threads'), current_setting('temp_directory')"
        memory, threads, spill = connection.execute(settings).fetchone() or ()
        assert (memory, threads, Path(spill).parent) == ("95.3 MiB", 2, config.storage / "spill" / f"user-{os.getuid()}")
        assert connection.execute(BIG).fetchone() == (6_000_000,)
        assert Path(spill).is_dir()
        assert Path(spill).parent.stat().st_mode & 0o777 == 0o700
    assert not [*Path(spill).parent.iterdir()]


def test_two_connections_do_not_see_what_the_other_spills(config: Config) -> None:
    with resources.limited(config), database.connect() as one, database.connect() as other:
        places = {connection.execute("select current_setting('temp_directory')").fetchone() for connection in (one, other)}
    assert len(places) == 2


def test_the_next_build_deletes_what_a_killed_process_spilled(config: Config) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from kit.core import Config, database, resources\n"
        f"with resources.limited(Config.load(Path({str(config.root)!r}), {{}})), database.connect() as connection:\n"
        f"    connection.execute({BIG!r}); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    folder = config.storage / "spill" / f"user-{os.getuid()}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    left, other = [*folder.iterdir()], folder / "elsewhere-1-2-3"
    assert len(left) == 1
    other.mkdir()
    with resources.limited(config), database.connect() as connection:
        connection.execute(BIG)
        with resources.limited(config):  # of a build at the same time
            assert len([*folder.iterdir()]) == 2
        assert other.is_dir()
    assert [*folder.iterdir()] == [other]
    os.utime(other, (0, 0))
    with resources.limited(config):
        assert [*folder.iterdir()] == []


def test_domain_code_gets_the_same_and_spills_into_its_own_folder(config: Config, tmp_path: Path) -> None:
    environment = Resources.of(config, {"KIT_BUILDS_AT_ONCE": "1"}).environment(tmp_path)
    again = Resources.of(Config.load(config.root, environment), environment)
    assert (again.memory, again.threads, again.spill) == (100 * MB, 2, tmp_path / f"user-{os.getuid()}")
    assert again.spill.is_dir()


def test_outside_of_a_mesh_variables_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIT_MEMORY_LIMIT", "123MB")
    assert resources.current().memory == 123 * MB


def test_a_folder_of_somebody_else_is_not_used(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(resources, "_temporary", lambda: tmp_path / "link")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert not resources.spill_folder(Resources.of(config)).is_relative_to(tmp_path / "link")
