import sys

import pytest

from kit.orchestration.run_origin import RunOrigin


def test_a_run_of_a_command_names_person_place_and_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.orchestration.run_origin.current_user", lambda: "ann")
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kit", "run", "demand", "-p", "name=two words"])
    tags = {"user": "ann", "kit/started_in": "terminal", "kit/command": "kit run demand -p 'name=two words'"}
    assert RunOrigin.from_command_line().tags() == tags


def test_a_user_without_a_name_has_no_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kit.orchestration.run_origin.current_user", lambda: "")
    tags = RunOrigin("Python", "kit.run('demand')").tags()
    assert tags == {"kit/started_in": "Python", "kit/command": "kit.run('demand')"}


def test_a_run_that_repeats_one_of_a_command_was_started_elsewhere() -> None:
    again = RunOrigin("Dagster", "re-execution of 1")
    assert again.again(RunOrigin("terminal", "kit run").tags()) == {
        "kit/started_in": "Dagster", "kit/command": "re-execution of 1"
    }  # fmt: skip
    assert again.again({"dagster/partition": "tea"}) == {}
