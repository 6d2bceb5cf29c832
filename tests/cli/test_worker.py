"""`kit worker`; with a process it is tested in `tests/orchestration/test_worker.py`."""

import pytest
from typer.testing import CliRunner

from kit.cli.main import app
from kit.orchestration import worker


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "no worker is used: it needs Linux, and the environment variables KIT_WORKER and CI must not forbid it"),
        ((17, True), "process 17"),
        ((17, False), "process 17, which imports what builds need; until then `kit run` does"),
    ],
)
def test_status(monkeypatch: pytest.MonkeyPatch, found: tuple[int, bool] | None, said: str) -> None:
    monkeypatch.setattr(worker, "running", lambda: found)
    assert CliRunner().invoke(app, ["worker", "status"]).output.replace("\n", " ").strip() == said
