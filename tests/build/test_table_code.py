from pathlib import Path

import pytest

from kit.build.table_code import TableCode, table_code
from tests.support.small_mesh import SmallMesh, write

SHOP = Path("domains/shop")


def code(small: SmallMesh, name: str = "shop") -> TableCode:
    product = small.product(name)
    return table_code(small.config, product, product.code_files())


def changed(small: SmallMesh, path: str, old: str, new: str, name: str = "shop") -> set[str]:
    """The tables whose rows may differ after an edit."""
    before = code(small, name).fingerprints({})
    small.replace(f"domains/{name}/{path}", old, new)
    after = code(small, name).fingerprints({})
    return {table for table in after if before.get(table) != after[table]}


def test_tables_read_each_other(small: SmallMesh) -> None:
    found = code(small)
    assert {table: set(found.reads[table]) for table in found.reads} == {
        "raw.sales": set(), "sales": {"raw.sales"}, "totals": {"sales"}
    }  # fmt: skip
    assert (found.in_parts, found.volatile, found.unit_tested) == (True, frozenset(), {"totals"})
    assert found.closure("totals") == {"totals", "sales", "raw.sales"}


@pytest.mark.parametrize(
    ("path", "old", "new", "tables"),
    [
        ("models/marts/totals.sql", "order by item", "order by 1", {"totals"}),
        ("models/marts/sales.sql", "order by sale_id", "order by 1", {"sales", "totals"}),
        ("dbt_project.yml", "version: 1.0.0", "version: 1.0.1", {"sales", "totals"}),
        ("contracts/totals.odcs.yaml", "One row per", "A row per", set()),
        ("expectations/sales.extra.json", '"min_value": 5', '"min_value": 4', set()),
        ("models/marts/sales.yml", "arguments: {column_name: sale_id}", "arguments: {column_name: item}", set()),
        ("ingest.py", "return", "return  ", set()),
        ("product.odps.yaml", "what shop is for", "what it is for", set()),
    ],
)
def test_an_edit_changes_the_tables_that_depend_on_it(
    small: SmallMesh, path: str, old: str, new: str, tables: set[str]
) -> None:
    assert changed(small, path, old, new) == tables


def test_a_type_in_a_contract_changes_its_port(small: SmallMesh) -> None:
    assert changed(small, "contracts/totals.odcs.yaml", "decimal(18,2)", "decimal(18,3)") == {"totals"}


def test_an_edit_of_a_test_changes_the_digest_of_tests_only(small: SmallMesh) -> None:
    before = code(small)
    small.replace("domains/shop/models/marts/sales.yml", "item: tea, amount: 3", "item: tea, amount: 4")
    after = code(small)
    assert (after.own, after.tests == before.tests) == (before.own, False)


@pytest.mark.parametrize(
    "text", ["{{ config(pre_hook='select 1') }} select 1", "select {{ run_query('select 1') }}", "select * from {{ ref(x) }}"]
)
def test_a_project_that_cannot_be_taken_apart_counts_as_a_whole(small: SmallMesh, text: str) -> None:
    write(small.root / SHOP / "models/other.sql", text)
    assert not code(small).in_parts
    assert {"sales", "totals"} <= changed(small, "models/marts/totals.sql", "order by item", "order by 1")


def test_a_query_that_may_read_any_table_reads_all(small: SmallMesh) -> None:
    write(small.root / SHOP / "models/other.sql", "select * from query_table('sales')\n")
    assert code(small).reads["other"] == {"raw.sales", "sales", "totals"}


def test_rows_that_depend_on_the_time(small: SmallMesh) -> None:
    small.replace("domains/shop/models/marts/sales.sql", "order by sale_id", "where sold_on < current_date order by 1")
    found = code(small)
    assert [found.is_volatile(table) for table in ("raw.sales", "sales", "totals")] == [False, True, True]


def test_a_notebook_depends_on_its_text_its_modules_and_what_it_opens(small: SmallMesh) -> None:
    folder = small.domains / "plan"
    assert changed(small, "contracts/forecast.odcs.yaml", "One row per", "A row per", "plan") == set()
    write(folder / "notebooks/helper.py", "FACTOR = 1\n")
    assert changed(small, "notebooks/helper.py", "1", "2", "plan") == {"forecast"}
    write(folder / "notebooks/data.csv", "a\n1\n")
    assert changed(small, "notebooks/data.csv", "1", "2", "plan") == {"forecast"}
    write(folder / "notebooks/helper.py", "import glob\n")
    assert changed(small, "contracts/forecast.odcs.yaml", "A row per", "One row per", "plan") == {"forecast"}


def test_parameters_and_contents_count(small: SmallMesh) -> None:
    found = code(small, "plan")
    one, other = (found.fingerprints({"forecast": {"factor": factor}}) for factor in (1, 2))
    assert one["forecast"] != other["forecast"]
    assert found.fingerprints({"shop.totals": "a"})["forecast"] != found.fingerprints({"shop.totals": "b"})["forecast"]
    assert found.fingerprints({}, 1)["forecast"] != found.fingerprints({}, 2)["forecast"]
