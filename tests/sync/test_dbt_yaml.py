import json
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.core.database import quoted
from kit.core.errors import KitError
from kit.core.yaml import parse_yaml
from kit.mesh.product import DataProduct
from kit.quality import suite
from kit.quality.audit import audit
from kit.quality.audit_target import AuditTarget
from kit.sync.dbt_yaml import block, files, placed, unique_name
from tests.conftest import ROOT, examples
from tests.support.small_mesh import SmallMesh, contract, descriptor, valid, write

GENERATED = ["  # kit sync: begin", "  - name: sales", "    data_tests: []", "    # kit sync: end"]
TEXT = "".join(f"{line}\n" for line in GENERATED)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"models:\n{TEXT}"),
        ("unit_tests: []\n", f"models:\n{TEXT}\nunit_tests: []\n"),
        ("models:\n  - name: sales\n    description: one\n\nunit_tests: []\n", f"models:\n{TEXT}\nunit_tests: []\n"),
        ("models:\n  - name: sales\n    description: |\n      one\n\nx: 1\n", f"models:\n{TEXT}x: 1\n"),
        ("models:\n  - name: other\n", f"models:\n{TEXT}  - name: other\n"),
        (f"# ours\nmodels:\n{TEXT}    docs: {{}}\n", f"# ours\nmodels:\n{TEXT}    docs: {{}}\n"),
    ],
)
def test_the_entry_takes_its_place_and_all_else_stays(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "sales.yml"
    path.write_text(before)
    assert placed(path, "sales", GENERATED) == after
    path.write_text(after)
    assert placed(path, "sales", GENERATED) == after


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("models: [{name: sales}]\n", "write `models:` in block style"),
        ("models:\n  - name: sales\n    columns: []\n", "the entry of 'sales' also has columns; delete it"),
        ("models:\n  # kit sync: begin\n", "holds 1 times 'kit sync: begin' and 0 times 'kit sync: end'"),
        (f"models:\n{TEXT}    config: {{}}\n    config: {{}}\n", "the key 'config' is there twice"),
        (f"models:\n{TEXT}  - name: sales\n", "describes 'sales' 2 times"),
    ],
)
def test_what_cannot_be_done_safely_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "sales.yml"
    path.write_text(text)
    with pytest.raises(KitError) as raised:
        placed(path, "sales", GENERATED)
    assert problem in str(raised.value)


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.sampled_from(["# ours\n", "\n", "unit_tests: []\n", "# ü: {{ x }}\n"]), unique=True),
    words=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40),
)
def test_generated_from_what_was_generated_is_the_same(tmp_path: Path, lines: list[str], words: str) -> None:
    from kit.core.yaml_writer import inline

    path = tmp_path / "sales.yml"
    path.write_text("".join(lines), newline="")
    generated = [*GENERATED[:2], f"    description: {inline(words)}", *GENERATED[2:]]
    once = placed(path, "sales", generated)
    path.write_text(once, newline="")
    assert placed(path, "sales", generated) == once
    assert once.endswith("".join(lines))
    assert parse_yaml(path, once).data["models"][0]["description"] == words


def test_each_rule_is_a_test(small: SmallMesh) -> None:
    product = small.product("shop")
    sales, totals = (block(product, port) for port in product.ports)
    assert [line for line in sales if "- in_range" in line or "- accepted" in line] == [
        "          - accepted_values: {name: sales_known_values, arguments: {values: [tea, cake]}, config: {tags: [contract]}}",
        "          - in_range: {name: sales_amount_is_between_0_and_1000, arguments: {min: 0, max: 1000}, "
        "config: {tags: [contract]}}",
    ]
    (entry,) = parse_yaml(Path("totals.yml"), "models:\n" + "\n".join(totals) + "\n").data["models"]
    assert entry["config"] == {"contract": {"enforced": True}}
    config = {"tags": ["contract"]}
    assert [column.get("data_tests") for column in entry["columns"]] == [
        [
            {"not_null": {"name": "totals_item_is_required", "config": config}},
            {"unique": {"name": "totals_item_is_unique", "config": config}},
        ],
        [{"not_null": {"name": "totals_amount_is_required", "config": config}}],
    ]
    query = "select (select sum(amount) from ${table}) - (select sum(amount) from raw.sales)"
    arguments = {"query": query, "expected": "= 0"}
    assert entry["data_tests"] == [
        {"query_returns": {"name": "totals_totals_add_up", "arguments": arguments, "config": config}}
    ]


@pytest.mark.parametrize(
    ("table", "reads"),
    [
        ("sales", ["ref('sales')"]),
        ("shop.sales", ["ref('sales')"]),
        ("raw.sales", None),
        ("(select 'sales' as sales) /* sales */", None),
    ],
)
def test_a_query_names_the_other_models_it_reads(small: SmallMesh, table: str, reads: list[str] | None) -> None:
    small.replace("domains/shop/contracts/totals.odcs.yaml", "from raw.sales", f"from {table}")
    product = small.product("shop")
    (entry,) = parse_yaml(Path("totals.yml"), "models:\n" + "\n".join(block(product, product.ports[1])) + "\n").data["models"]
    assert entry["data_tests"][0]["query_returns"]["arguments"].get("reads") == reads


ASIDE = {"customProperties": [{"property": "onFailure", "value": "quarantine"}]}


def custom(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": "custom", "engine": "greatExpectations", "implementation": {"type": kind, "kwargs": kwargs}}


def sql(name: str, query: str, **expected: Any) -> dict[str, Any]:
    return {"name": name, "type": "sql", "query": query, **expected}


COLUMNS: list[tuple[str, str, dict[str, Any]]] = [
    ("id", "bigint", {"primaryKey": True, "relationships": [{"to": "shop.others.id"}]}),
    ("order", "varchar", {"primaryKey": True, "primaryKeyPosition": 2, "logicalTypeOptions": {"minLength": 2, "maxLength": 3}}),
    ("day", "date", {"logicalTypeOptions": {"minimum": "2024-01-01"}, "quality": [valid("2024-01-01", "2024-01-02")]}),
    ("one", "double", {"logicalTypeOptions": {"minimum": 0.1, "maximum": 9}, **ASIDE}),
    ("two", "double", {"quality": [{"metric": "nullValues", "mustBeLessOrEqualTo": 50, "unit": "percent"}]}),
    ("n", "integer", {"quality": [{**valid(), "arguments": {"validValues": [1, 2, 3]}}]}),
    ("code", "varchar", {"logicalTypeOptions": {"pattern": "[a-z]{2}"}, "relationships": [{"to": "crm.table.code"}]}),
]
QUALITY = [
    {"metric": "rowCount", "mustBeBetween": [2, 3]},
    sql("twice", "select count(*)\n-- of ${table}\nfrom ${table} as t where t.n > 2", mustBeLessThan=2),
    sql("between", "select max(n) from ${table}", mustBeBetween=[1, 3], severity="warning"),
    {**custom("unexpected_rows_expectation", unexpected_rows_query="select * from {batch} where n = 9"), **ASIDE},
    custom("unexpected_rows_expectation", unexpected_rows_query="select n from {batch} group by n having count(*) > 2"),
    custom("expect_table_row_count_to_be_between", max_value=3),
    custom("expect_column_mean_to_be_between", column="n", max_value=100),
]
GOOD: dict[str, list[Any]] = {
    "id": [1, 1, 2], "order": ["ab", "abc", "ab"], "day": ["2024-01-01", "2024-01-02", "2024-01-02"], "one": [0.1, 9.0, None],
    "two": [1.0, None, 2.0], "n": [1, 2, 3], "code": ["aa", None, "bb"],
}  # fmt: skip
BROKEN: list[dict[str, list[Any]]] = [
    {
        "id": [1, 1, None],
        "order": ["ab", "ab", None],
        "day": ["2023-12-31", "2024-01-02", None],
        "n": [9, 9, 9],
        "code": ["b", "zz", None],
    },
    {"id": [1, 1, 7], "order": ["ab", "a", "abcd"], "one": [0.09, float("nan"), None], "two": [float("inf"), None, None]},
    {name: values[:1] for name, values in GOOD.items()},
    {name: [*values, values[0]] for name, values in GOOD.items()},
]


@pytest.mark.slow
def test_dbt_gives_the_verdicts_of_the_audit_for_every_kind_of_rule(tmp_path: Path) -> None:
    shop = tmp_path / "domains/shop"
    outputs = {"things": "dbt", "others": "dbt"}
    write(shop / "product.odps.yaml", descriptor("shop", inputs=["crm.table"], outputs=outputs))
    write(shop / "dbt_project.yml", f"name: shop\nprofile: kit\nmacro-paths: [{ROOT / 'kit/dbt/macros'}]\n")
    write(shop / "models/things.sql", "select 1\n")
    write(shop / "models/others.sql", "select 1\n")
    data = json.loads(contract("shop.things", "things", COLUMNS, QUALITY))
    data["customProperties"] = [{"property": "quarantineLimit", "value": 0.5}]
    write(shop / "contracts/things.odcs.yaml", json.dumps(data))
    write(shop / "contracts/others.odcs.yaml", contract("shop.others", "others", [("id", "bigint", {})]))
    product = DataProduct.load(shop)
    port = product.ports[0]
    for path, text in {**dict(files(product)), **suite.files(product)}.items():
        write(path, str(text))
    text = (shop / "models/things.yml").read_text()
    assert text.splitlines()[2] == "  # only in expectations/things.json: expect_column_mean_to_be_between"
    used: set[str] = set()
    tested = [rule.name for rule in port.contract.rules if rule.assertion.test]
    names = {rule: unique_name(f"things {rule.partition(': ')[0]}", used) for rule in tested}
    broken: set[str] = set()
    for changed in ({}, *BROKEN):
        frame = pl.DataFrame({**GOOD, **changed}, strict=False).with_columns(
            pl.col("day").str.to_date(), pl.col("n").cast(pl.Int32), pl.col("one", "two").cast(pl.Float64)
        )
        frame.write_parquet(tmp_path / "things.parquet")
        pl.DataFrame({"id": [1, 2, 3]}).write_parquet(tmp_path / "others.parquet")
        pl.DataFrame({"code": ["aa", "bb"]}).write_parquet(tmp_path / "codes.parquet")
        tables = {"things": "things", "others": "others", "crm.table": "codes"}
        paths = {name: [tmp_path / f"{file}.parquet"] for name, file in tables.items()}
        checks = audit([AuditTarget.from_port(port)], paths, datetime(2024, 1, 1))
        failed = {check.rule for check in checks if not check.passed}
        with duckdb.connect(str(tmp_path / "plain.duckdb")) as connection:
            connection.execute("create schema if not exists crm")
            for name, (file,) in paths.items():
                connection.execute(f"create or replace table {quoted(name)} as from '{file}'")
        outcome = dbt_test(shop, tmp_path)
        assert {rule for rule, name in names.items() if outcome[name]} == failed
        assert failed or not changed
        broken |= failed
    assert broken == set(tested)


def dbt_test(project: Path, folder: Path) -> dict[str, int]:
    """The rows that each test from a contract returns, over the database `plain.duckdb` in a folder."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    profile = f"kit: {{target: a, outputs: {{a: {{type: duckdb, path: {folder / 'plain.duckdb'}}}}}}}\n"
    write(folder / "profiles.yml", profile)
    arguments = ["test", "--select", "tag:contract", "--project-dir", str(project), "--profiles-dir", str(folder)]
    quiet = ["--target-path", str(folder / "target"), "--log-level", "none", "--log-path", str(folder / "logs")]
    try:
        done = dbtRunner().invoke([*arguments, *quiet])
    finally:
        DuckDBConnectionManager.close_all_connections()
    assert done.exception is None
    assert {node.status.value for node in done.result} <= {"pass", "fail", "warn"}
    return {node.node.name: node.failures for node in done.result}


@pytest.mark.slow
def test_dbt_itself_passes_good_rows_and_fails_broken_ones(small: SmallMesh, tmp_path: Path) -> None:
    """`dbt test --select tag:contract` with a profile of its own: `totals` is as it should be, four rows of `sales` are not."""
    shop = small.domains / "shop"
    with duckdb.connect(str(tmp_path / "plain.duckdb")) as connection:
        connection.execute(f"create schema raw; create table raw.sales as from read_csv('{small.feed}')")
        connection.execute(
            "create table totals as select item, sum(amount)::decimal(18,2) as amount from raw.sales group by item"
        )
        connection.execute("create table sales as from raw.sales")
        connection.execute(
            "insert into sales values (1, 'tea', 5, '2024-01-09'), (31, 'pie', 5, '2024-01-09'), "
            "(32, 'tea', 2000, '2024-01-09'), (33, 'tea', 5, null)"
        )
    outcome = dbt_test(shop, tmp_path)
    assert len(outcome) == 12
    assert {name: failures for name, failures in outcome.items() if failures} == {
        "sales_sale_id_is_unique": 1,
        "sales_known_values": 1,
        "sales_amount_is_between_0_and_1000": 1,
        "sales_sold_on_is_required": 1,
    }
