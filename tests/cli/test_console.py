import pytest

from kit.cli.console import print_rows


def test_short_columns_stay_whole_beside_long_ones(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(["row_number", "rule", "payload"], [(1, "r" * 40, "p" * 300), (2, "", "q" * 30)])
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["row_number", "rule", "payload"]
    assert first.split() == ["1", "r" * 40, f"{'p' * 71}…"]
    assert second.split() == ["2", "q" * 30]
