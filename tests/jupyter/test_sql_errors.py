import json
from typing import Any

import pytest

from kit.jupyter.sql_errors import explain, point_at


def said(text: str, position: int | None = None, **more: Any) -> str:
    place = {} if position is None else {"position": str(position)}
    return "Some Error: " + json.dumps({"exception_message": text, **place, **more})


@pytest.mark.parametrize(
    ("error", "query", "message"),
    [
        (
            said('Table with name "shop.totls" does not exist because schema "shop" does not exist.', 14),
            "select item\nfrom shop.totls",
            "line 3: unknown shop.totls\n    from shop.totls\n      ^",
        ),
        (
            said('Referenced column "amont" not found in FROM clause!', 7),
            "select amont from shop.totals",
            "line 2: there is no column 'amont'; did you mean amount? there are: amount, item\n"
            "    select amont from shop.totals\n           ^",
        ),
        (
            said('Values list "t" does not have a column named "zzz"', 7),
            "select t.zzz from shop.totals t",
            "line 2: there is no column 'zzz'; there are: amount, item\n    select t.zzz from shop.totals t\n           ^",
        ),
        (
            said('syntax error at or near "shop"', 13, error_subtype="SYNTAX_ERROR"),
            "select * frm shop.totals",
            "line 2: syntax error at 'shop'; did you mean from?\n    select * frm shop.totals\n                 ^",
        ),
        (
            said("syntax error at end of input", 13, error_subtype="SYNTAX_ERROR"),
            "select 1 from",
            "line 2: syntax error at end of input\n    select 1 from\n                 ^",
        ),
        (
            said("No function matches 'sum(VARCHAR)'.\n\tCandidate functions:\n\tsum(DECIMAL) -> DECIMAL", 7),
            "select sum(item)",
            "line 2: No function matches 'sum(VARCHAR)'.\n    select sum(item)\n           ^",
        ),
        ("Interrupted: stopped", "select 1", "stopped"),
    ],
)
def test_an_error_of_duckdb_is_one_message(error: str, query: str, message: str) -> None:
    assert str(explain(error, query, 2, ["item", "amount"], lambda name: f"unknown {name}")) == message


def test_positions_are_bytes_and_long_lines_are_cut() -> None:
    assert str(point_at("here", "select 'äöü', x", 1, 17)) == "line 1: here\n    select 'äöü', x\n                  ^"
    query = "select " + "1+" * 100 + "x from y"
    shown, caret = str(point_at("here", query, 1, 207)).splitlines()[1:]
    assert shown == "    …" + "1+" * 25 + "x from y"
    assert shown[caret.index("^")] == "x"
