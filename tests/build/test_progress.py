import pytest

from kit.build.progress import Progress


def test_a_step_is_framed_and_its_time_added_up() -> None:
    heard: list[object] = []
    progress = Progress(begin=lambda *told: heard.append(told), end=lambda *told: heard.append(told[:3]), step=heard.append)
    for result in ("one", "two"):
        with progress.timed("shop", "dbt") as set_result:
            set_result(result)
    assert heard == [("shop", "dbt"), ("shop", "dbt", "one"), "dbt done", ("shop", "dbt"), ("shop", "dbt", "two"), "dbt done"]
    assert list(progress.seconds) == ["dbt"]


def test_a_step_that_fails_does_not_end() -> None:
    heard: list[str] = []
    progress = Progress(step=heard.append)
    with pytest.raises(ValueError, match="no"), progress.timed("shop", "dbt"):
        raise ValueError("no")
    assert (heard, progress.seconds) == ([], {})
