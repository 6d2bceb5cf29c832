from pathlib import Path

import pytest

from kit.lineage.source_kinds import source_kinds, source_origins
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
    origins = source_origins(tmp_path)
    assert origins["users"] == ("airbyte", "source-faker==7.2.1")
    assert origins["orders"] == ("rest", "orders.yaml")
    assert origins["customers"] == ("postgres", "SHOP_DSN")
