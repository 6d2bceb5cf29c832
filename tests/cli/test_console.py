import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta

import pytest
from rich.text import Text

from kit.cli.console import console, direct_output, errors, print_json, print_json_rows, print_next, print_rows, print_status
from kit.storage.status import PortState, PortStatus
from kit.storage.summary import PortSummary, ProductSummary
from tests.support.small_mesh import SmallMesh

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


def test_no_more_is_counted_than_there_is_to_try(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "kit")
    shutil.rmtree(small.domains / "plan")
    print_next(small.mesh, [])
    assert capsys.readouterr().out.splitlines()[1:] == ["One thing to try next", "  kit read shop.totals"]
    print_next(small.mesh, ["shop"])
    assert capsys.readouterr().out.splitlines()[1:] == ["Two things to try next", "  kit run shop", "  kit read shop.totals"]
    shutil.rmtree(small.domains / "shop/models")
    (small.domains / "shop/product.odps.yaml").write_text("")
    print_next(small.mesh, [])
    assert capsys.readouterr().out == ""


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


def test_values_and_names_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(["n\x1b[2Jame"], [("a\x1b]0;title\x07b\x9b31m",), ("left\u202eright\ttab",)])
    errors.print(Text("no such \x1b[31mport\x08\x08", style="red"))
    shown = capsys.readouterr()
    assert shown.out.split() == ["n\\x1b[2Jame", "a\\x1b]0;title\\x07b\\x9b31m", "left\\u202eright", "tab"]
    assert shown.err == "no such \\x1b[31mport\n"


def test_json_has_escapes_for_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"a\x9bb": "\x1b[31m\x7f\u202eä"}
    print_json(value)
    print_json_rows([json.dumps(value, ensure_ascii=False)])
    shown = capsys.readouterr().out
    assert not any(sign in shown for sign in "\x1b\x7f\x9b\u202e")
    first, second = shown.split("\n}\n")
    assert json.loads(first + "}") == value
    assert json.loads(second) == [value]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_without_a_character_gets_another_one(encoding: str) -> None:
    code = (
        "from kit.cli.console import *\n"
        "print_rows(['a'], [('ä → … 茶 1\\xa0min \\udcff',)])\n"
        "errors.print('→ …')\n"
        "print_json({'ä': '茶 🍵'})\n"
        'print_json_rows([\'{"ä": "→"}\'])\n'
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
    head, row, *rest = done.stdout.decode(encoding).splitlines()
    umlaut, blank = {"latin-1": ("ä", "\xa0"), "ascii": ("\\xe4", " ")}[encoding]
    assert (head.strip(), row.strip()) == ("a", f"{umlaut} -> ... \\u8336 1{blank}min \\udcff")
    assert done.stderr.decode(encoding) == "-> ...\n"
    assert json.loads("".join(rest[:3])) == {"ä": "茶 🍵"}
    assert json.loads("".join(rest[3:])) == [{"ä": "→"}]


def test_a_narrow_status_has_name_freshness_and_checks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = PortSummary("daily_sales", rows=7397, passed=39)
    product = ProductSummary("orders", owner="Ruth Calder", ports=(port,), version="20261130T063739Z-791412")
    row = PortStatus(product, port, PortState.FRESH, age=timedelta(hours=13))

    def header(width: int) -> list[str]:
        monkeypatch.setattr(console, "width", width)
        print_status([row])
        return capsys.readouterr().out.splitlines()[0].split()

    freshness = ["freshness", "/", "SLA", "checks"]
    assert header(120) == ["product", "port", "owner", "rows", "snapshot", *freshness]
    assert header(80) == ["product", "port", "owner", "rows", *freshness]
    assert header(60) == ["product", "port", "rows", *freshness]
