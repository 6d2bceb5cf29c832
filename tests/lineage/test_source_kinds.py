from pathlib import Path
from textwrap import dedent

import pytest

from kit.core.constant_values import COMPUTED
from kit.lineage.source_kinds import SourceCall, source_calls, source_kinds
from tests.support.files import write

CODE = """
from kit.ingest import Delivery, connectors
from kit.ingest.connectors import postgres, airbyte as tap

ADDRESS = postgres(dsn_env="SHOP_DSN", table="a")


def customers():
    return postgres(dsn_env="SHOP_DSN", table="customers", cursor="updated_at")


def users():
    source = tap("source-faker==7.2.1", stream="users")
    return Delivery(source, at="2024-01-01")


def orders():
    return connectors.rest("orders.yaml", stream="orders")


def clicks():
    yield {"n": 1}


def prices():
    return "prices.csv"


def helper():
    def rows():
        yield 1
    return list(rows())
"""


def test_the_kind_of_a_source_is_that_of_the_connector_it_returns(tmp_path: Path) -> None:
    write(tmp_path / "ingest.py", CODE)
    assert source_kinds(tmp_path) == {"customers": "postgres", "users": "airbyte", "orders": "rest", "clicks": "python"}


@pytest.mark.parametrize("text", [None, "def x(:\n", "\0"])
def test_a_file_that_cannot_be_read_names_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        write(tmp_path / "ingest.py", text)
    assert source_kinds(tmp_path) == {}


def test_the_first_argument_of_a_connector_is_known_where_the_code_has_it(tmp_path: Path) -> None:
    write(tmp_path / "ingest.py", CODE)
    found = {name: (call.kind, call.first) for name, call in source_calls(tmp_path).items()}
    assert found["users"] == ("airbyte", "source-faker==7.2.1")
    assert found["orders"] == ("rest", "orders.yaml")
    assert found["customers"] == ("postgres", "SHOP_DSN")
    assert found["clicks"] == ("python", "")


def test_arguments_have_their_values_where_they_are_constant(tmp_path: Path) -> None:
    text = """
    from kit.ingest.connectors import airbyte
    CONFIG = {"count": 2}
    TWICE = 1
    TWICE = 2
    def users():
        return airbyte(
            "source-faker==7.2.1", config=CONFIG,
            stream=TWICE, cursor=name(),
        )
    def more():
        return airbyte(**CONFIG)
    def rows(state):
        yield 1
    """
    write(tmp_path / "ingest.py", dedent(text))
    calls = source_calls(tmp_path)
    assert calls["users"] == SourceCall(
        "airbyte", 7, ("source-faker==7.2.1",), {"config": {"count": 2}, "stream": COMPUTED, "cursor": COMPUTED},
        {"config": 8, "stream": 9, "cursor": 9},
    )  # fmt: skip
    assert [calls["users"].is_constant, calls["more"].is_complete, calls["rows"].has_state] == [False, False, True]
