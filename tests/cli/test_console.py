import json
import subprocess
import sys

import pytest

from kit.cli.console import console, direct_output, print_json, print_json_rows, print_rows

REDIRECTED = """
import os
from kit.cli.console import console, direct_output, errors
with direct_output():
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    console.print("a step")
    errors.print("the reason")
"""


def test_short_columns_stay_whole_beside_long_ones(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(["row_number", "rule", "payload"], [(1, "r" * 40, "p" * 300), (2, "", "q" * 30)])
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["row_number", "rule", "payload"]
    assert first.split() == ["1", "r" * 40, f"{'p' * 71}…"]
    assert second.split() == ["2", "q" * 30]


def test_output_reaches_the_terminal_while_the_descriptors_are_redirected() -> None:
    done = subprocess.run([sys.executable, "-c", REDIRECTED], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("a step\n", "the reason\n")


def test_afterwards_output_goes_to_the_stream_of_the_moment(capsys: pytest.CaptureFixture[str]) -> None:
    with direct_output():
        pass
    console.print("a row")
    assert capsys.readouterr().out == "a row\n"


def test_json_is_that_of_the_standard(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"observed": float("nan"), "sample": b"\x00"})
    assert json.loads(capsys.readouterr().out) == {"observed": "NaN", "sample": "00"}


def test_rows_are_printed_as_one_list(capsys: pytest.CaptureFixture[str]) -> None:
    print_json_rows(['{"a": 1}', '{"a": 2}'])
    assert capsys.readouterr().out == '[\n {"a": 1},\n {"a": 2}\n]\n'
    print_json_rows([])
    assert capsys.readouterr().out == "[]\n"
