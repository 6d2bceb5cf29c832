import subprocess
from pathlib import Path

import pytest

from kit.core.errors import IngestError
from kit.ingest.connector import Environment
from kit.ingest.environments import Environments


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    calls: list[list[str]] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        module, *arguments = command[command.index("-m") + 1 :]
        calls.append([module, *arguments])
        if module == "venv":
            Path(arguments[0]).mkdir(parents=True)
        failing = any(part.startswith("gone") for part in command)
        return subprocess.CompletedProcess(command, int(failing), "", "notice\nERROR: No matching distribution found\n")

    monkeypatch.setattr("subprocess.run", run)
    return calls


def test_an_environment_is_made_once_from_wheels_and_again_for_other_packages(tmp_path: Path, calls: list[list[str]]) -> None:
    environments, faker = Environments(tmp_path / "connectors"), Environment("faker", ("source-faker==7.2.1",))
    assert not environments.is_made(faker)
    place = environments.make(faker)
    assert place == tmp_path / "connectors/faker"
    assert environments.is_made(faker)
    python = f"{place}/bin/python"
    assert calls == [
        ["venv", str(place)],
        ["pip", "--python", python, "install", "-q", "--only-binary", ":all:", "source-faker==7.2.1"],
    ]
    environments.make(faker)
    assert len(calls) == 2
    assert not environments.is_made(Environment("faker", ("source-faker==7.2.2",)))
    environments.make(Environment("faker", ("source-faker==7.2.2",)))
    assert len(calls) == 4


def test_what_cannot_be_installed_is_one_sentence_and_leaves_nothing(tmp_path: Path, calls: list[list[str]]) -> None:
    environments, gone = Environments(tmp_path), Environment("gone", ("gone==1.0",))
    with pytest.raises(IngestError) as caught:
        environments.make(gone)
    assert str(caught.value) == (
        "the environment of the connector gone cannot be made with gone==1.0: No matching distribution found"
    )
    assert not environments.place(gone).exists()


def test_an_environment_is_made_beside_the_process_and_waited_for_once(tmp_path: Path, calls: list[list[str]]) -> None:
    environments, faker, gone = Environments(tmp_path), Environment("faker", ("faker==1",)), Environment("gone", ("gone==1",))
    for environment in (faker, faker, gone):
        environments.begin(environment)
    assert environments.make(faker) == tmp_path / "faker"
    with pytest.raises(IngestError, match="cannot be made with gone==1: No matching distribution found"):
        environments.make(gone)
    assert sorted(module for module, *_ in calls) == ["pip", "pip", "venv", "venv"]
