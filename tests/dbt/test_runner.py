import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kit.contracts.check import Check
from kit.core import database
from kit.core.errors import TransformError
from kit.dbt.runner import TransformResult, dbt_arguments, transform
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh, write


class Bench:
    """The product `shop` beside a work database with three sales."""

    def __init__(self, small: SmallMesh) -> None:
        self.product = small.product("shop")
        self.database, self.staging = small.root / "work.duckdb", small.root / "staging"
        self.raw = small.root / "sales.parquet"
        self.staging.mkdir()
        for path in self.product.folder.glob("models/marts/*.yml"):
            path.unlink()
        rows = "(values (1, 'tea', 1), (2, 'cake', 2), (3, 'tea', 3)) as t(sale_id, item, amount)"
        with database.connect(self.database) as connection:
            connection.execute(f"copy (from {rows}) to '{self.raw}'")
            database.add_views(connection, {"raw.sales": [self.raw]})

    def write(self, path: str, text: str) -> None:
        write(self.product.folder / path, text)

    def enforce(self, model: str, **types: str) -> None:
        """Let dbt hold a model against its contract, as the generated YAML does."""
        columns = [{"name": name, "data_type": kind} for name, kind in types.items()]
        config = {"contract": {"enforced": True}}
        self.write(f"models/marts/{model}.yml", json.dumps({"models": [{"name": model, "config": config, "columns": columns}]}))

    def transform(self, **options: Any) -> TransformResult:
        for port in self.product.ports:
            (self.staging / port.name).mkdir(exist_ok=True)
        return transform(self.product, self.database, [self.raw], self.staging, self.staging.parent / "dbt", **options)

    def error(self, **options: Any) -> str:
        with pytest.raises(TransformError) as raised:
            self.transform(**options)
        return str(raised.value)

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        with database.connect(self.database, read_only=True) as connection:
            return connection.execute(f"from {table}").fetchall()

    def staged(self) -> list[str]:
        return sorted(path.relative_to(self.staging).as_posix() for path in self.staging.rglob("*.parquet"))


@pytest.fixture
def bench(small: SmallMesh) -> Bench:
    return Bench(small)


def test_marts_are_staged_and_tests_become_checks(bench: Bench) -> None:
    bench.write(
        "models/staging/stg_teas.sql", "{{ config(materialized='view') }}select * from {{ ref('sales') }} where item = 'tea'"
    )
    bench.write(
        "models/staging/stg_teas.yml",
        "models: [{name: stg_teas, columns: [{name: item, data_tests: [unique, not_null, {accepted_values: {arguments: "
        "{values: [cake]}, config: {severity: warn}}}]}]}]\n",
    )
    bench.write("tests/amounts.sql", "select sale_id, amount from {{ ref('stg_teas') }} where amount > 2")
    nodes: list[str] = []
    models: list[str] = []
    result = bench.transform(on_node=nodes.append, on_model=models.append)
    written = {path.name for path in (bench.staging.parent / "dbt").iterdir()}
    assert not written & {"manifest.json", "run_results.json", "semantic_manifest.json"}, "nobody reads them"
    assert sorted(result.models) == ["sales", "stg_teas", "totals"]
    assert bench.staged() == ["sales/data.parquet", "totals/data.parquet"]
    assert [row[0] for row in bench.rows("stg_teas")] == [1, 3]
    assert {check.rule: check for check in result.checks} == {
        "item: unique": Check(
            "stg_teas", "item: unique", "dbt", False, "error", "1 row", 1, ({"unique_field": "tea", "n_records": "2"},), ""
        ),
        "item: not_null": Check("stg_teas", "item: not_null", "dbt", True, "error"),
        'item: accepted_values {"values": ["cake"]}': Check(
            "stg_teas", 'item: accepted_values {"values": ["cake"]}', "dbt", False, "warning", "1 row", 1,
            ({"value_field": "tea", "n_records": "2"},), "",
        ),
        "amounts": Check("stg_teas", "amounts", "dbt", False, "error", "1 row", 1, ({"sale_id": "3", "amount": "3"},), ""),
    }  # fmt: skip
    assert models == [name for name in nodes if name in result.models]
    assert models[0] == "sales"
    assert len(nodes) == 7


def test_an_error_in_the_sql_of_a_model_names_its_file_though_a_unit_test_ran_before(bench: Bench) -> None:
    bench.write(
        "models/marts/unit.yml",
        "unit_tests: [{name: adds, model: totals, given: [{input: ref('sales'), rows: [{item: tea, amount: 1}]}], "
        "expect: {rows: [{item: tea, amount: 1}]}}]\n",
    )
    bench.write("models/marts/totals.sql", "select item, no_such_function(amount) as amount from {{ ref('sales') }}\n")
    (said,) = bench.error().splitlines()
    assert said.startswith("'shop': dbt failed at 1 of "), said
    assert "nodes: models/marts/totals.sql: Scalar Function with name no_such_function does not exist!" in said
    assert said.endswith("the unit test 'adds' in models/marts/unit.yml found it, whose rows may also have other types")


def test_a_unit_test_is_a_check(bench: Bench) -> None:
    bench.write(
        "models/marts/unit.yml",
        "unit_tests: [{name: doubles, model: totals, given: [{input: ref('sales'), rows: [{item: tea, amount: 1}]}], "
        "expect: {rows: [{item: tea, amount: 2}]}}]\n",
    )
    (check,) = (check for check in bench.transform().checks if check.rule == "unit test doubles")
    assert (check.table, check.passed, check.severity) == ("totals", False, "error")
    assert "actual differs from expected" in check.observed


def test_generated_tests_are_not_parsed(bench: Bench) -> None:
    bench.write(
        "models/marts/sales.yml",
        "models: [{name: sales, columns: [{name: item, data_tests: [not_null, {no_such_test: {config: {tags: [contract]}}}]}], "
        "data_tests: [{no_such_test: {config: {tags: [contract]}}}]}]\n",
    )
    assert [check.rule for check in bench.transform().checks] == ["item: not_null"]
    bench.write("models/marts/totals.yml", "models: [{name: totals, data_tests: [no_such_test]}]\n")
    assert "no_such_test" in bench.error()


def test_a_macro_may_change_between_two_builds_of_a_process(bench: Bench) -> None:
    bench.write("models/marts/totals.sql", "select {{ number() }} as one")
    for number in ("1", "2"):
        bench.write("macros/number.sql", f"{{% macro number() %}}{number}{{% endmacro %}}")
        bench.transform()
        assert bench.rows("totals") == [(int(number),)]


def test_only_one_model_and_those_it_reads_are_built(bench: Bench) -> None:
    bench.write("tests/never.sql", "select 1 from {{ ref('sales') }}")
    result = bench.transform(only=["sales"])
    assert result == TransformResult(("sales",), ())
    assert bench.staged() == ["sales/data.parquet"]


def test_a_partition_is_a_variable_and_the_name_of_a_file(bench: Bench) -> None:
    bench.write("models/marts/sales.sql", "select * from {{ source('raw', 'sales') }} where item = '{{ var('partition') }}'")
    bench.transform(partition="cake")
    assert bench.staged() == ["sales/cake.parquet", "totals/cake.parquet"]
    assert [row[0] for row in bench.rows("sales")] == [2]


def test_a_model_that_fails_is_named_with_its_reason(bench: Bench) -> None:
    bench.write("models/marts/totals.sql", "select nobody from {{ ref('sales') }}")
    message = bench.error()
    assert message.startswith("'shop': dbt failed at 1 of 2 nodes: models/marts/totals.sql: Referenced column \"nobody\" ")


@pytest.mark.parametrize(
    ("amount", "problem"),
    [
        ("sum(amount) as amount", "the column 'amount' is hugeint, PROMISED"),
        ("sum(amount::decimal(9,2)) as amount", "the column 'amount' is decimal(38,2), PROMISED"),
        ("avg(amount) as amount", "the column 'amount' is double, PROMISED"),
        ("1 as total", "the column 'amount' is missing; the column 'total' is not in the contract"),
    ],
)  # fmt: skip
def test_a_mart_of_other_types_than_its_contract_says_which_to_cast(bench: Bench, amount: str, problem: str) -> None:
    bench.write("models/marts/totals.sql", f"select item, {amount} from {{{{ ref('sales') }}}} group by item")
    bench.enforce("totals", item="varchar", amount="decimal(18,2)")
    problem = problem.replace("PROMISED", "the contract says decimal(18,2); cast it: (amount)::decimal(18,2)")
    assert bench.error() == f"'shop': dbt failed at 1 of 2 nodes: models/marts/totals.sql: {problem}"


def test_an_error_of_the_listener_fails_its_model(bench: Bench) -> None:
    def refuse(name: str) -> None:
        raise TransformError(f"{name} is refused")

    assert "is refused" in bench.error(on_model=refuse)


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        ("copy (select 1) to 'elsewhere.csv'", "'elsewhere.csv' is not allowed"),
        ("create table t as from read_text('/etc/passwd')", "'/etc/passwd' is not allowed"),
        ("set threads = 2", "changes the setting 'threads'"),
    ],
)
def test_models_are_confined(bench: Bench, hook: str, reason: str) -> None:
    bench.write("models/marts/totals.sql", f'{{{{ config(pre_hook="{hook}") }}}}select 1 as one')
    assert f"models/marts/totals.sql: {reason}" in bench.error()


def test_an_input_that_changes_meanwhile_ends_the_build(bench: Bench) -> None:
    assert "a model overwrote its input" in bench.error(on_model=lambda _: os.utime(bench.raw, (0, 0)))


def test_a_project_that_dbt_cannot_parse_is_refused(bench: Bench) -> None:
    bench.write("models/marts/totals.sql", "select * from {{ ref('nobody') }}")
    assert bench.error().startswith("'shop': dbt could not run the project: Compilation Error")


def test_nothing_is_left_open_after_a_build(bench: Bench) -> None:
    before = dict(os.environ)
    bench.transform()
    assert dict(os.environ) == before
    with database.connect(bench.database) as connection:  # another connection of this process could not write
        assert connection.execute("create table more as select 1") is not None


def test_arguments_of_dbt(small: SmallMesh, tmp_path: Path) -> None:
    shop = small.product("shop")
    build, compiled = (dbt_arguments(command, shop, tmp_path, "2024-01") for command in ("build", "compile"))
    assert build[-2:] == ["--vars", '{"partition": "2024-01"}']
    assert build[build.index("--exclude") + 1] == "tag:contract"
    assert "--exclude" not in compiled
    assert dbt_arguments("build", shop, tmp_path) == build[:-2]


@pytest.fixture
def parsed_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SQL files of models that dbt parses from now on."""
    from dbt.parser.models import ModelParser

    names: list[str] = []
    original = ModelParser.parse_file

    def parse_file(parser: Any, file_block: Any) -> None:
        names.append(Path(file_block.file.path.relative_path).name)
        original(parser, file_block)

    monkeypatch.setattr(ModelParser, "parse_file", parse_file)
    return names


def test_what_dbt_parsed_is_kept_for_the_next_build_on_another_database(bench: Bench, parsed_files: list[str]) -> None:
    parsed = bench.staging.parent / "cache/shop.msgpack"

    def again() -> TransformResult:
        target, other = bench.staging.parent / "dbt", bench.staging.parent / f"again-{len(parsed_files)}/work.duckdb"
        shutil.rmtree(target, ignore_errors=True)
        other.parent.mkdir(parents=True, exist_ok=True)
        other.unlink(missing_ok=True)
        with database.connect(other) as connection:
            database.add_views(connection, {"raw.sales": [bench.raw]})
        bench.database = other
        return bench.transform(parsed=parsed)

    first = again()
    everything = [*parsed_files]
    assert {"sales.sql", "totals.sql"} <= set(everything)
    assert again() == first
    assert parsed_files == everything
    path = next(bench.product.folder.glob("models/marts/totals.sql"))
    path.write_text(f"{path.read_text()} -- edited")
    again()
    assert parsed_files == [*everything, "totals.sql"]
    parsed.write_bytes(parsed.read_bytes()[:1000])
    assert again() == first
    assert sorted(parsed_files) == sorted([*everything, "totals.sql", *everything])


def test_a_project_that_dbt_cannot_parse_leaves_what_was_parsed_before(bench: Bench, parsed_files: list[str]) -> None:
    parsed = bench.staging.parent / "cache/shop.msgpack"
    bench.transform(parsed=parsed)
    path = next(bench.product.folder.glob("models/marts/totals.sql"))
    good = path.read_text()
    path.write_text("select * from {{ ref('nothing') }}")
    assert "nothing" in bench.error(parsed=parsed)
    path.write_text(good)
    assert bench.transform(parsed=parsed).models


def test_dbt_reads_no_source_of_its_callers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would, twice a build, for the name of a module in a message: a second of CPU among many modules."""
    monkeypatch.setattr("inspect.stack", lambda *_: pytest.fail("the stack was read"))
    assert bench.transform().models


@pytest.mark.parametrize(("quiet", "said"), [("quiet_locks()", False), ("", True)])
def test_locks_that_an_interrupt_leaves_are_no_warning(quiet: str, said: bool) -> None:
    code = f"import multiprocessing, os\nfrom kit.dbt.runner import quiet_locks\n{quiet}\n"
    code += "lock = multiprocessing.get_context('spawn').RLock()\nos._exit(0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=HANG)
    assert ("leaked semaphore" in done.stderr) is said
    assert said or not done.stderr
