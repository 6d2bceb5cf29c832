"""What `make bench` prints: costs of whole process trees, ratios, and limits."""

import sys

import pytest

from tests.bench.measuring import Cost, Limit, Row, alternate, measure, report


def row(name: str, wall: float, *limits: Limit, others: float = 0.0) -> Row:
    return Row(name, lambda: Cost(wall, 2 * wall, 100, others), limits)


def test_rows_are_compared_with_the_first_and_held_to_their_limits(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row("plain", 2), row("kit", 5, Limit(3), Limit(4, "cpu", absolute=True), others=0.4)]
    alternate(3, rows, "a table")
    assert [len(item.costs) for item in rows] == [3, 3]
    assert not report("A table", rows)
    shown = capsys.readouterr().out.splitlines()
    assert shown[-2].split()[:4] == ["plain", "2.00", "s", "1.00"]
    assert "2.50" in shown[-1]
    assert shown[-1].endswith("wall <= 3 x: kept, cpu <= 4 s: MISSED, beside other load of 40%")


def test_a_table_whose_limits_are_kept_says_so() -> None:
    rows = [row("plain", 2), row("kit", 5, Limit(3))]
    alternate(1, rows, "a table", warm=True)
    assert report("A table", rows)


def test_work_that_does_not_count_each_time_is_left_out() -> None:
    results = iter([Cost(1), None, None])
    rows = [Row("once", lambda: next(results))]
    alternate(3, rows, "a table")
    assert [cost.wall for cost in rows[0].costs] == [1]


def test_the_cost_of_a_command_has_its_processes_in_it() -> None:
    child = "import time; data = bytearray(200_000_000)\nwhile time.process_time() < 0.7: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    cost = measure([sys.executable, "-c", code])
    assert cost.cpu >= 0.7
    assert cost.wall >= 0.7
    assert cost.memory > 190


def test_a_command_that_fails_ends_the_benchmark_with_its_error() -> None:
    with pytest.raises(RuntimeError, match=r"failed with exit code 3:\nno file"):
        measure([sys.executable, "-c", "import sys; sys.stderr.write('no file'); sys.exit(3)"])
