import json
import subprocess
import sys
import textwrap
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from kit.mesh.mesh import Mesh
from kit.quality.audit import AuditTarget, audit
from kit.quality.suite import suite
from kit.storage.store import Store
from tests.conftest import ROOT
from tests.support.small_mesh import SmallMesh
from tests.system.test_judge import SABOTAGE


def test_the_suite_says_what_the_contract_says(small: SmallMesh) -> None:
    contract = small.product("shop").ports[1].contract
    found = suite(contract)
    assert [item["meta"]["rule"] for item in found["expectations"]] == [rule.name for rule in contract.rules]
    assert found["expectations"][-1]["kwargs"]["unexpected_rows_query"] == (
        "select observed from (\nselect (select sum(amount) from {batch}) - (select sum(amount) from raw.sales)\n"
        ") as rule(observed) where not coalesce(observed = 0, false)"
    )


def test_plain_great_expectations_loads_it_whole(small: SmallMesh) -> None:
    import great_expectations as gx

    found = suite(small.product("shop").ports[0].contract)
    assert len(gx.ExpectationSuite(**found).expectations) == len(found["expectations"])


# Great Expectations with nothing of the kit. Its rollbacks would make DuckDB discard what it has not fetched yet.
PLAIN = """
    import json, os, sys
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    context, answer = gx.get_context(mode="ephemeral"), {}
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    options = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    for name, (suite, database, table) in json.load(sys.stdin).items():
        url = f"duckdb:///{database}"
        source = context.data_sources.add_or_update_sql(name, connection_string=url, create_temp_table=False, kwargs=options)
        batch = source.add_table_asset(table, table_name=table).add_batch_definition_whole_table("all").get_batch()
        with open(suite) as file:
            found = batch.validate(gx.ExpectationSuite(**json.load(file))).results
        answer[name] = {result.expectation_config.meta["rule"]: bool(result.success) for result in found}
    assert "kit" not in sys.modules
    print("answer:", json.dumps(answer))
"""


@pytest.mark.slow
def test_plain_great_expectations_judges_rows_by_the_committed_suite_as_a_build_does(demo: Path, tmp_path: Path) -> None:
    """The rows of every port but the longest, and the daily sales after each sabotage that leaves their columns alone."""
    mesh, store = Mesh.load(ROOT / "domains"), Store(demo)
    ports = {f"{product.name}.{port.name}": port for product in mesh.products for port in product.ports}
    files = {name: store.snapshot(product, store.read_pointer(product).version).files(port)  # type: ignore[union-attr]
             for name in ports for product, _, port in [name.partition(".")]}  # fmt: skip
    given = duckdb.read_parquet([str(file) for file in files["orders.daily_sales"]])
    cases = {name: (name, found) for name, found in files.items() if name != "orders.order_lines"}
    for position, (name, (query, _)) in enumerate(SABOTAGE.items()):
        path = tmp_path / f"{position}.parquet"
        given.query("given", query).write_parquet(str(path))
        if duckdb.read_parquet(str(path)).types == given.types:
            cases[name] = ("orders.daily_sales", [path])

    ours, question = {}, {}
    for position, (name, (port, found)) in enumerate(cases.items()):
        table, promise = port.partition(".")[2], ports[port].contract
        database = tmp_path / f"{position}.duckdb"
        tables = {**files, table: found}
        with duckdb.connect(str(database)) as connection:
            for product in mesh.products:
                connection.execute(f"create schema {product.name}")
            for seen, paths in tables.items():
                connection.execute(f"create view {seen} as from read_parquet({list(map(str, paths))})")
        checks = {check.rule: check.passed for check in audit([AuditTarget(table, promise)], tables, datetime(2018, 1, 1))}
        ours[name] = {rule.name: checks[rule.name] for rule in promise.rules}
        question[name] = (str(mesh.product(port.partition(".")[0]).folder / f"expectations/{table}.json"), str(database), table)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PLAIN)], input=json.dumps(question), cwd=tmp_path,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.rpartition("answer: ")[2]) == ours
    broken = {name: [rule for rule, passed in verdicts.items() if not passed] for name, verdicts in ours.items()}
    assert {name: rules for name, rules in broken.items() if rules} == {
        "a department gone": ["department is required"],
        "a day sent twice": ["business_date, department together are unique"],
        "a sale below zero": ["sales_value is between 0 and 100000"],
        "a week less": ["no_day_missing: its query gives <= 1"],
    }
