"""A pytest plugin for the tests of a mesh: its published ports as fixtures, its notebooks under nbval.

`addopts` in pyproject.toml loads it. Tests of one domain lie in its folder, `domains/<product>/tests/test_*.py`.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.core import guarded, lock
from kit.ingest import CONNECTORS
from kit.storage import Store

SANITIZE = Path(__file__).with_name("nbval.cfg")
"""What nbval replaces before it compares outputs: values that are others in every run."""

_FIRST_RUN = pytest.StashKey[tuple[Path, "subprocess.CompletedProcess[str]"]]()
_PUBLISHED = pytest.StashKey[Path]()
_ENVIRONMENT = pytest.StashKey[pytest.MonkeyPatch]()


@pytest.fixture(scope="session")
def first_run(pytestconfig: pytest.Config) -> "tuple[Path, subprocess.CompletedProcess[str]]":
    """The storage of the whole mesh of this repository, and `kit run --json`, which built it once for all workers."""
    return _first_run(pytestconfig)


@pytest.fixture(scope="session")
def published(pytestconfig: pytest.Config) -> Path:
    """A copy of the storage of the whole mesh for this worker, without Dagster's home, whose settings contain its own path."""
    return _published(pytestconfig)


@pytest.fixture(scope="session")
def files(published: Path) -> Callable[[str], list[Path]]:
    """A function that returns the Parquet files of a published port `PRODUCT.PORT`."""

    def found(name: str) -> list[Path]:
        product, _, table = name.partition(".")
        snapshot = Store(published).current(product)
        assert snapshot is not None, f"{product} is not published"
        return snapshot.files(table)

    return found


@pytest.fixture(scope="session")
def port(files: Callable[[str], list[Path]]) -> Callable[[str], str]:
    """A function that returns a published port `PRODUCT.PORT` as a table of DuckDB: `read_parquet([…])`."""
    return lambda name: f"read_parquet({list(map(str, files(name)))})"


def _first_run(config: pytest.Config) -> "tuple[Path, subprocess.CompletedProcess[str]]":
    if _FIRST_RUN not in config.stash:
        base = _temporary(config)
        folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "mesh"
        storage, result = folder / "storage", folder / "result.json"
        with lock(folder / ".lock", wait=True):
            if not result.exists():
                given = {"KIT_MASK_KEY": "a key for tests only", **os.environ, "KIT_STORAGE": str(storage)}
                command = guarded([sys.executable, "-m", "kit", "run", "--json"])
                done = subprocess.run(command, cwd=config.rootpath, env=given, capture_output=True, text=True, check=False)
                result.write_text(json.dumps(vars(done)))
        config.stash[_FIRST_RUN] = storage, subprocess.CompletedProcess(**json.loads(result.read_text()))
    return config.stash[_FIRST_RUN]


def _published(config: pytest.Config) -> Path:
    if _PUBLISHED not in config.stash:
        built, _ = _first_run(config)
        storage = _temporary(config) / "published"
        shutil.copytree(built, storage, ignore=shutil.ignore_patterns("dagster", CONNECTORS))
        if (built / CONNECTORS).is_dir():  # they are large, and nobody changes them
            (storage / CONNECTORS).symlink_to(built / CONNECTORS)
        for folder in (storage / "products").glob("*"):
            Store(storage).repair_catalog(folder.name)
        config.stash[_PUBLISHED] = storage
    return config.stash[_PUBLISHED]


def _temporary(config: pytest.Config) -> Path:
    """The folder of `tmp_path_factory`, for the hooks below, which cannot ask for a fixture."""
    return config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined,no-any-return]


# Notebooks: `--nbval-lax` runs those in `notebooks/` and `domains/`, each in a kernel of this environment, over `published`.


def pytest_configure(config: pytest.Config) -> None:
    """Give nbval the kernel of this environment and what it replaces before it compares."""
    option = config.option
    if getattr(option, "nbval", False) or getattr(option, "nbval_lax", False):
        option.nbval_current_env = option.nbval_current_env or option.nbval_kernel_name is None
        option.nbval_sanitize_with = option.nbval_sanitize_with or str(SANITIZE)
        from nbval.kernel import RunningKernel

        RunningKernel.execute_cell_input = _execute_with_history


def _execute_with_history(kernel: Any, source: str, allow_stdin: bool | None = None) -> str:
    """As nbval does, and as by hand: without history IPython shows the value of a cell that ends in a semicolon."""
    return kernel.kc.execute(source, allow_stdin=allow_stdin, stop_on_error=False)  # type: ignore[no-any-return]


@pytest.hookimpl(tryfirst=True)  # before the selection by markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark notebooks as slow."""
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.slow)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start the kernel of a notebook with the published mesh; this hook is called neither for skipped cells nor before that."""
    if item.path.suffix == ".ipynb":
        item.stash[_ENVIRONMENT] = patch = pytest.MonkeyPatch()
        patch.setenv("KIT_STORAGE", str(_published(item.config)))


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Restore the environment after the last cell."""
    if _ENVIRONMENT in item.stash:
        item.stash[_ENVIRONMENT].undo()
