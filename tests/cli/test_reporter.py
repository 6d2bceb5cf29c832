import pytest

from kit.build import Outcome
from kit.cli.reporter import PromotionReporter, TerminalReporter, reporter
from kit.storage import BuildStatus

PUBLISHED = Outcome("shop", BuildStatus.PUBLISHED, 1.0)
FAILED = Outcome("shop", BuildStatus.FAILED, 1.0, message="a reason")


def test_the_end_of_a_build_is_one_line_and_the_reason_of_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    TerminalReporter().finished(PUBLISHED)
    TerminalReporter().finished(FAILED)
    shown = capsys.readouterr()
    assert [line.split() for line in shown.out.splitlines()] == [
        ["shop", "published", "1.0", "s"],
        ["shop", "failed", "1.0", "s"],
    ]
    assert shown.err == "a reason\n"


def test_a_promotion_prints_its_failure_itself(capsys: pytest.CaptureFixture[str]) -> None:
    shown = PromotionReporter()
    shown.started([])
    shown.finished(FAILED)
    assert capsys.readouterr() == ("", "")
    shown.finished(PUBLISHED)
    assert "published" in capsys.readouterr().out


def test_json_is_printed_without_progress() -> None:
    assert not isinstance(reporter(as_json=True), TerminalReporter)
    assert isinstance(reporter(as_json=False), TerminalReporter)
