from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from kit.core.config import Config
from kit.core.errors import ConfigError
from kit.core.policy import Policy
from tests.support.kernels import in_kernel


def project(root: Path, settings: str = "") -> Path:
    (root / "pyproject.toml").write_text(f"[tool.kit]\n{settings}\n")
    return root


def message(root: Path, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        Config.load(root, environ)
    return str(caught.value)


def test_every_setting_has_a_default(tmp_path: Path) -> None:
    root = project(tmp_path)
    assert Config.load(root, {}) == Config(
        root=root, storage=root / ".mesh", as_of=None, cell_timeout_seconds=600, notebook_output_mb=20
    )


def test_pyproject_sets_every_setting(tmp_path: Path) -> None:
    root = project(tmp_path, "storage='s'\nas_of=2018-01-01\ncell_timeout_seconds=5\nnotebook_output_mb=1")
    assert Config.load(root, {}) == Config(root, root / "s", date(2018, 1, 1), 5, 1)


def test_a_policy_is_a_table_of_its_own(tmp_path: Path) -> None:
    assert Config.load(project(tmp_path), {}).policy is None
    assert Config.load(project(tmp_path, "[tool.kit.policy]\nkeys = false"), {}).policy == Policy(keys=False)


def test_the_environment_overrides_pyproject(tmp_path: Path) -> None:
    root = project(tmp_path, "storage='s'\nas_of=2018-01-01\ncell_timeout_seconds=5\nnotebook_output_mb=1")
    environ = {
        "KIT_STORAGE": str(tmp_path / "shared"),
        "KIT_AS_OF": "2020-02-29",
        "KIT_CELL_TIMEOUT_SECONDS": "7",
        "KIT_NOTEBOOK_OUTPUT_MB": "8",
    }
    assert Config.load(root, environ) == Config(root, tmp_path / "shared", date(2020, 2, 29), 7, 8)


def test_an_empty_variable_overrides_nothing(tmp_path: Path) -> None:
    assert Config.load(project(tmp_path, "cell_timeout_seconds=5"), {"KIT_CELL_TIMEOUT_SECONDS": ""}).cell_timeout_seconds == 5


def test_sizes_have_units_and_the_spill_folder_begins_at_the_root(tmp_path: Path) -> None:
    root = project(tmp_path, "memory_limit='1.5 GiB'\nthreads=3\nspill_folder='big'")
    config = Config.load(root, {})
    assert (config.memory_limit, config.threads, config.spill_folder) == (1_610_612_736, 3, root / "big")
    config = Config.load(root, {"KIT_MEMORY_LIMIT": "800mb", "KIT_THREADS": "1", "KIT_SPILL_FOLDER": "/mnt/big"})
    assert (config.memory_limit, config.threads, config.spill_folder) == (800_000_000, 1, Path("/mnt/big"))
    assert message(root, KIT_SPILL_FOLDER="s3://big").startswith("the spill folder is 's3://big', and the kit has no storage")


def test_the_mesh_is_found_from_a_folder_below_it(tmp_path: Path) -> None:
    root = project(tmp_path)
    below = root / "domains" / "shop"
    below.mkdir(parents=True)
    assert Config.load(below, {}).root == root


def test_a_project_of_another_kind_between_is_passed_over(tmp_path: Path) -> None:
    inner = project(tmp_path) / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("tool = 1\n")
    assert Config.load(inner, {}).root == tmp_path


def test_kit_root_names_the_mesh(tmp_path: Path) -> None:
    assert Config.load(None, {"KIT_ROOT": str(project(tmp_path))}).root == tmp_path


def test_the_working_directory_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project(tmp_path))
    assert Config.load(None, {}).root == tmp_path


def test_the_domains_lie_below_the_root(tmp_path: Path) -> None:
    assert Config.load(project(tmp_path), {}).domains == tmp_path / "domains"


def test_the_cache_lies_in_the_storage(tmp_path: Path) -> None:
    assert Config.load(project(tmp_path, "storage='there'"), {}).cache == tmp_path / "there" / "cache"


def test_home_is_written_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert Config.load(project(tmp_path, "storage='~/mesh'"), {}).storage == tmp_path / "home" / "mesh"


def test_the_grace_of_readers_may_be_nothing(tmp_path: Path) -> None:
    assert Config.load(project(tmp_path, "reader_grace_minutes=0"), {}).reader_grace_minutes == 0


def test_the_clock_is_the_start_of_as_of(tmp_path: Path) -> None:
    assert Config.load(project(tmp_path, "as_of=2018-01-01"), {}).clock() == datetime(2018, 1, 1)


def test_without_as_of_the_clock_is_now_in_utc_without_zone(tmp_path: Path) -> None:
    clock = Config.load(project(tmp_path), {}).clock()
    assert clock.tzinfo is None
    assert abs(datetime.now(UTC).replace(tzinfo=None) - clock) < timedelta(minutes=5)


def test_outside_a_mesh_the_error_names_the_remedy(tmp_path: Path) -> None:
    assert message(tmp_path) == (
        f"no data mesh found in {tmp_path} or above it; go into a clone (its pyproject.toml has a [tool.kit] table) "
        "or set KIT_ROOT to one"
    )


def test_an_unknown_setting_lists_the_known_ones(tmp_path: Path) -> None:
    assert message(project(tmp_path, "engine='spark'")) == (
        "pyproject.toml: [tool.kit] has no setting 'engine'; there are: "
        "storage, as_of, cell_timeout_seconds, source_timeout_seconds, notebook_output_mb, "
        "keep_runs, keep_snapshots, iceberg, reader_grace_minutes, "
        "postgres_dsn_env, parallel_builds, worker_idle_minutes, secrets, memory_limit, threads, spill_folder, policy, models"
    )


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("storage=5", "storage is 5; it must be text"),
        ("storage=''", "storage is ''; it must be text"),
        ("as_of='2018-01-01'", "as_of is '2018-01-01'; it must be a date such as 2018-01-01"),
        (
            "as_of=2018-01-01T00:00:00",
            "as_of is datetime.datetime(2018, 1, 1, 0, 0); it must be a date such as 2018-01-01",
        ),
        ("cell_timeout_seconds=0", "cell_timeout_seconds is 0; it must be a whole number above 0"),
        ("cell_timeout_seconds=true", "cell_timeout_seconds is True; it must be a whole number above 0"),
        ("reader_grace_minutes=-1", "reader_grace_minutes is -1; it must be a whole number, at least 0"),
        ("threads=0", "threads is 0; it must be a whole number above 0"),
        ("memory_limit=4", 'memory_limit is 4; it must be a size of at least 100 MB, such as "4GB" or "800MiB"'),
        ("memory_limit='a lot'", 'memory_limit is \'a lot\'; it must be a size of at least 100 MB, such as "4GB" or "800MiB"'),
        ("memory_limit='99MB'", 'memory_limit is \'99MB\'; it must be a size of at least 100 MB, such as "4GB" or "800MiB"'),
        ("notebook_output_mb=1.5", "notebook_output_mb is 1.5; it must be a whole number above 0"),
    ],
)
def test_a_wrong_setting_names_the_allowed_values(tmp_path: Path, setting: str, problem: str) -> None:
    assert message(project(tmp_path, setting)) == f"pyproject.toml: [tool.kit] {problem}"


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("KIT_AS_OF", "yesterday", "a date such as 2018-01-01"),
        ("KIT_AS_OF", "2018-02-30", "a date such as 2018-01-01"),
        ("KIT_CELL_TIMEOUT_SECONDS", "-1", "a whole number above 0"),
        ("KIT_NOTEBOOK_OUTPUT_MB", "20MB", "a whole number above 0"),
        ("KIT_MEMORY_LIMIT", "4 GX", 'a size of at least 100 MB, such as "4GB" or "800MiB"'),
    ],
)
def test_a_wrong_variable_names_the_allowed_values(tmp_path: Path, name: str, text: str, allowed: str) -> None:
    assert message(project(tmp_path), **{name: text}) == f"the environment variable {name} is '{text}'; it must be {allowed}"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[tool.kit\n", "not valid TOML: Expected ']' at the end of a table declaration (at line 1, column 10)"),
        (b"a='\xe9'", "not valid TOML: 'utf-8' codec can't decode byte 0xe9 in position 3: invalid continuation byte"),
        (b"tool.kit = 5\n", "[tool.kit] is 5; it must be a table of settings"),
    ],
)
def test_a_broken_pyproject_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "pyproject.toml").write_bytes(content)
    assert message(tmp_path) == f"{tmp_path / 'pyproject.toml'}: {problem}"


def test_a_kernel_works_on_the_mesh_of_its_notebook_wherever_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        project(folder)
    for folder in (tmp_path, two):
        monkeypatch.chdir(folder)
        in_kernel(monkeypatch, session=one / "notebooks/a.ipynb")
        assert Config.load(environ={}).root == one
    assert Config.load(environ={"KIT_ROOT": str(two)}).root == two
    in_kernel(monkeypatch, session=tmp_path / "a.ipynb")  # in no mesh
    assert Config.load(environ={}).root == two


@pytest.mark.parametrize("address", ["s3://bucket/mesh", "gs://bucket", "file:" + "///mnt/mesh", "az:container", "s3:/bucket"])
def test_a_storage_that_nobody_implements_is_refused(tmp_path: Path, address: str) -> None:
    scheme = address.partition(":")[0]
    expected = (
        f"the storage is '{address}', and the kit has no storage for '{scheme}:' addresses; write the path of a folder, such "
        f"as .mesh or /mnt/mesh; mount an object store as a folder, or write ./{address} for a folder of that name"
    )
    assert message(project(tmp_path), KIT_STORAGE=address) == expected
    assert message(project(tmp_path, f"storage = '{address}'")) == expected
    assert list(tmp_path.iterdir()) == [tmp_path / "pyproject.toml"]


def test_a_storage_that_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    root = project(tmp_path)
    assert Config.load(root, {"KIT_STORAGE": "./s3:x"}).storage == root / "s3:x"
    assert message(root, KIT_STORAGE="pyproject.toml").endswith(
        "pyproject.toml is no folder; write the path of a folder, such as .mesh or /mnt/mesh"
    )
    for text in ("~nobody-of-that-name/mesh", "a\0b", "x" * 300):
        assert "cannot be a folder: " in message(root, KIT_STORAGE=text)
