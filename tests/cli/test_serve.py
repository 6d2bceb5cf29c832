from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kit.cli.main import app
from kit.core.config import Config
from kit.jupyter import lab
from kit.orchestration import dev_server
from tests.support.small_mesh import SmallMesh


class Servers:
    """Servers that are interrupted as soon as they are watched."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    @contextmanager
    def __call__(self, config: Config, port: int, **options: Any) -> Iterator[Any]:
        self.calls.append((config.root, port, options))
        yield SimpleNamespace(
            address=f"http://127.0.0.1:{port}/", processes=SimpleNamespace(logs=Path("state/logs")), watch=self.watch
        )
        raise AssertionError("the interrupt reaches the server, which ends its processes")

    def watch(self) -> None:
        raise KeyboardInterrupt


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    made = Servers()
    monkeypatch.setattr(dev_server, "dagster", made)
    monkeypatch.setattr(lab, "lab", made)
    return made


def run(small: SmallMesh, *arguments: str) -> Result:
    return CliRunner(env={"KIT_ROOT": str(small.root)}).invoke(app, arguments)


def test_dagster_runs_until_it_is_interrupted(small: SmallMesh, servers: Servers) -> None:
    done = run(small, "dev", "--port", "3456")
    assert (done.exit_code, done.stdout.splitlines()) == (
        0,
        [
            "Starting Dagster (code server, web server, daemon) …",
            "",
            "  http://127.0.0.1:3456/",
            "",
            "Ctrl-C stops it. Logs: state/logs",
            "stopped",
        ],
    )
    assert servers.calls == [(small.root, 3456, {})]


def test_jupyterlab_opens_a_browser_unless_it_shall_not(small: SmallMesh, servers: Servers) -> None:
    assert [run(small, "lab", *more).stdout.splitlines()[0] for more in ([], ["--no-browser"])] == ["Starting JupyterLab …"] * 2
    assert servers.calls == [(small.root, 8888, {"browser": True}), (small.root, 8888, {"browser": False})]


def test_a_lab_that_runs_already_is_named_by_its_address(
    small: SmallMesh, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        lab, "place", lambda config: SimpleNamespace(address="http://127.0.0.1:8888/lab?token=t", owner="process 7")
    )
    done = run(small, "lab")
    assert (done.exit_code, done.stdout) == (
        0, "JupyterLab runs already for this mesh (process 7):\n\n  http://127.0.0.1:8888/lab?token=t\n\n"
    )  # fmt: skip
    assert servers.calls == []


@pytest.mark.parametrize("port", ["-1", "65536", "web"])
def test_a_port_is_a_number_of_tcp(small: SmallMesh, servers: Servers, port: str) -> None:
    assert [run(small, command, "--port", port).exit_code for command in ("dev", "lab")] == [2, 2]
    assert servers.calls == []
