import json
from typing import Any

import pytest

from kit.governance.coupling import check_coupling
from tests.support.findings import pairs
from tests.support.small_mesh import SmallMesh, write


def found(small: SmallMesh) -> list[tuple[str, str]]:
    """The problems, without the folders of their files."""
    coupling = (item for product in small.context.mesh.products for item in check_coupling(small.context, product))
    return [(name, message.rpartition("/domains/")[2]) for name, message in pairs(coupling)]


def rule(query: str) -> dict[str, Any]:
    return {"name": "asks", "type": "sql", "query": query, "mustBe": 0}


def ask(small: SmallMesh, path: str, query: str) -> None:
    file = small.domains / path
    data = json.loads(file.read_text())
    data["schema"][0]["quality"] = [rule(query)]
    write(file, json.dumps(data))


ALL = "${table}, raw.sales, sales, shop.sales, shop.totals, totals"


@pytest.mark.parametrize(
    ("path", "query", "says"),
    [
        ("sources/sales", "select count(*) from sales", "reads 'sales'; it may read: ${table}, raw.sales"),
        ("contracts/sales", "select count(*) from plan.forecast", f"reads 'plan.forecast'; it may read: {ALL}"),
        ("contracts/sales", "select 0 from stg", f"reads 'stg'; it may read: {ALL}"),
        ("contracts/sales", "select 0 from ${table}, checkpoint()", "takes rows from checkpoint(), which is no table"),
        ("contracts/sales", "select current_setting('threads')", "calls current_setting(), which leads out of the tables"),
        ("contracts/sales", "select count(*) from", "cannot be parsed in line 1: Expected"),
        ("contracts/sales", "select count(*) from read_csv('/etc/passwd')", "takes rows from read_csv(), which is no table"),
        ("contracts/sales", "from 'x.parquet'", "reads the file 'x.parquet' in place of a table"),
        ("contracts/sales", "attach 'x.db'", "runs 'attach', which is no query of tables"),
        ("contracts/sales", "set threads = 1", "runs 'set', which is no query of tables"),
        ("contracts/sales", "call enable_logging(storage = 'file')", "runs 'call', which is no query of tables"),
        ("contracts/sales", "select 1; select 2", "is 2 statements; write one query"),
        ("sources/sales", "select 0) as a(b); attach 'x'; select observed from (select 0", "cannot be parsed in line 1:"),
        ("contracts/sales", "select 1 as \"it's\" from enable_logging() where 'x' = 'x'", "takes rows from enable_logging()"),
        ("contracts/sales", "select 1 -- it's\nfrom enable_logging() where 'x' = 'x'", "takes rows from enable_logging()"),
        ("contracts/sales", "select $$'$$ from enable_logging() where 'x' = 'x'", "takes rows from enable_logging()"),
        ("contracts/sales", "select e'\\'' from enable_logging() where 'x' = 'x'", "takes rows from enable_logging()"),
        ("contracts/sales", "select /* ' */ 1 from enable_logging() where 'x' = 'x'", "takes rows from enable_logging()"),
        ("sources/sales", "select * from getenv('HOME')", "takes rows from getenv(), which is no table"),
    ],
)  # fmt: skip
def test_a_rule_asks_tables_of_its_own_product(small: SmallMesh, path: str, query: str, says: str) -> None:
    ask(small, f"shop/{path}.odcs.yaml", query)
    ((name, message),) = found(small)
    assert name == "shop"
    assert message.startswith(f"shop/{path}.odcs.yaml: 'asks: its query gives = 0' {says}"), message


@pytest.mark.parametrize(
    "query",
    [
        "select count(*) from ${table} where item = 'call enable_logging(); from ''x'''",
        "select 1 -- read_text('x');\nfrom ${table}",
        "select /* it's ${table}; */ 1 from ${table} where item <> 'x'",
        "select $tag$;$tag$ from ${table}",
        "select e'it\\'s; fine' from ${table}",
        "-- how many\nselect count(*) from ${table}",
    ],
)
def test_a_rule_may_hold_any_text(small: SmallMesh, query: str) -> None:
    ask(small, "shop/contracts/sales.odcs.yaml", query)
    assert found(small) == []


def test_a_rule_may_ask_whatever_its_product_reads_and_makes(small: SmallMesh) -> None:
    ask(small, "shop/contracts/totals.odcs.yaml", "select count(*) from ${table}, RAW.sales, sales, shop.sales")
    assert found(small) == []


@pytest.mark.parametrize("more", [{}, {"mostly": 0.5}])
@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("select item from plan.forecast except select item from {batch}", "reads 'plan.forecast'; it may read:"),
        ("select item from {batch}, read_text('x')", "takes rows from read_text(), which is no table"),
        ("attach 'x.db'", "runs 'attach', which is no query of tables"),
    ],
)
def test_a_suite_is_proved_too(small: SmallMesh, query: str, says: str, more: dict[str, Any]) -> None:
    kwargs = {"unexpected_rows_query": query, **more}
    suite = {"expectations": [{"type": "unexpected_rows_expectation", "kwargs": kwargs}]}
    write(small.domains / "shop/expectations/sales.extra.json", json.dumps(suite))
    ((_, message),) = found(small)
    assert message.startswith("shop/expectations/sales.extra.json: 'unexpected rows expectation: ")
    assert says in message


def test_a_custom_rule_is_proved_too(small: SmallMesh) -> None:
    kwargs = {"unexpected_rows_query": "select * from {batch} where item in (select * from read_csv('/etc/passwd'))"}
    implementation = {"type": "unexpected_rows_expectation", "kwargs": kwargs}
    file = small.domains / "shop/contracts/sales.odcs.yaml"
    data = json.loads(file.read_text())
    data["schema"][0]["quality"] = [{"type": "custom", "engine": "greatExpectations", "implementation": implementation}]
    write(file, json.dumps(data))
    ((_, message),) = found(small)
    assert message.startswith(
        "shop/contracts/sales.odcs.yaml: 'no row where item in (select * from read_csv('/etc/passwd'))' "
        "takes rows from read_csv()"
    )


@pytest.mark.parametrize("table", ["raw.sales", "sales", "totals", "shop.totals"])
def test_a_need_asks_nothing_but_its_port(small: SmallMesh, table: str) -> None:
    small.need(
        [("item", "varchar", {})], [rule(f"select count(*) from ${{table}} where item not in (select item from {table})")]
    )
    assert found(small) == [
        (
            "plan",
            f"plan/consumes/shop.totals.odcs.yaml: 'asks: its query gives = 0' reads '{table}'; it may read: ${{table}}",
        )
    ]


@pytest.mark.parametrize("query", ["select count(*) from 'x.csv'", "select count(*) from glob('*')", "pragma version"])
def test_a_need_stays_in_its_table(small: SmallMesh, query: str) -> None:
    small.need([("item", "varchar", {})], [rule(query)])
    ((name, message),) = found(small)
    assert name == "plan"
    assert message.startswith("plan/consumes/shop.totals.odcs.yaml: 'asks: its query gives = 0' ")


def test_an_input_that_only_a_rule_reads_is_read(small: SmallMesh) -> None:
    small.dbt_reader("copier", "amount", "1.0.0")
    write(small.domains / "copier/models/copy.sql", "select 'tea' as item, 1.0 as amount")
    ask(small, "copier/contracts/copy.odcs.yaml", "select count(*) from shop.totals")
    assert found(small) == []
    data = json.loads((small.domains / "copier/contracts/copy.odcs.yaml").read_text())
    data["schema"][0]["quality"] = []
    data["schema"][0]["properties"][0]["relationships"] = [{"to": "shop.totals.item"}]
    write(small.domains / "copier/contracts/copy.odcs.yaml", json.dumps(data))
    assert found(small) == []
