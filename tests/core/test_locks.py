from pathlib import Path

from kit.core.locks import SingleInstance


def test_what_is_told_holds_as_long_as_the_one_runs(tmp_path: Path) -> None:
    single, other = SingleInstance(tmp_path / "place"), SingleInstance(tmp_path / "place")
    assert (other.told, other.process) == (None, "?")
    with single.held() as held:
        assert held
        assert other.told is None  # it is not ready yet
        single.tell("http://127.0.0.1:1")
        with other.held() as second:
            assert not second
        assert other.told == "http://127.0.0.1:1"
        assert other.process.isdigit()
    assert other.told is None


def test_what_one_that_was_killed_has_told_does_not_count(tmp_path: Path) -> None:
    single = SingleInstance(tmp_path)
    single.tell("http://127.0.0.1:1")
    assert single.told is None
