"""The ports of the web shop against what Airbyte's faker delivered."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.support.judging import faults, needs_judge

pytestmark = pytest.mark.slow


def test_the_faker_delivers_as_many_purchases_as_users(port: Callable[[str], str]) -> None:
    users, purchases = port("webshop.users"), port("webshop.purchases")
    assert duckdb.sql(f"select count(*), count(distinct user_id) from {users}").fetchall() == [(200, 200)]
    assert duckdb.sql(f"select count(*), count(distinct purchase_id) from {purchases}").fetchall() == [(200, 200)]
    assert duckdb.sql(f"select count(*) from {purchases} anti join {users} using (user_id)").fetchall() == [(0,)]


def test_no_address_and_no_exact_age_is_published(port: Callable[[str], str]) -> None:
    query = f"select count(email), count(*) filter (age % 10 <> 0), count(distinct age) > 3 from {port('webshop.users')}"
    assert duckdb.sql(query).fetchall() == [(0, 0, True)]


@needs_judge
def test_another_tool_finds_its_contracts_in_form_and_kept(files: Callable[[str], list[Path]]) -> None:
    assert faults("webshop", files) == {}
