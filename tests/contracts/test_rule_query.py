"""Values, names and literals that look like places of a template come through every path of a rule as they are."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from kit.contracts.contract import Contract
from kit.contracts.rule_query import Query
from kit.core.config import Config
from kit.core.database import literal
from kit.mesh.context import Context
from kit.quality.audit import audit
from kit.quality.audit_target import AuditTarget
from kit.quality.suite import from_contract, to_text
from kit.sync.sync import sync
from tests.conftest import ROOT
from tests.quality.test_quarantine import ASIDE, split
from tests.support.plain_expectations import plain_verdicts
from tests.support.small_mesh import contract, descriptor, valid, write

CLOCK = datetime(2024, 1, 10)
VALUES = [
    "${table}", "a ${table} b", "{batch}", "{table}", "{{ x }}", "{% x %}", "{# x #}", "{% endraw %}", "{", "}}", "{0}", "$a",
    "${a}", "%s", "%(a)s", "100 %", ":a", " :a ", "\\:a", "x\\\\:a", "::a", ":a:b", "?", "a 'b' \"c\"", "'${table}'",
    "\\", "\\'", "\\1", "two\nlines", "\r\n", "end\n", "a\0b", "ref('x')", "-- ${table}", ";", "$$", "$t$", "1e5", "",
]  # fmt: skip
ALL = " ".join(value.replace("\0", "") for value in VALUES)
WRONG = "none of them"


def pattern(value: str) -> str:
    """A regular expression of Python and DuckDB that only this text matches."""
    return re.sub(r"[!-/:-@\[-^{-~]", r"\\\g<0>", value)


PATTERN = f"^({'|'.join(map(pattern, VALUES))})$"


def custom(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": "custom", "engine": "greatExpectations", "implementation": {"type": kind, "kwargs": kwargs}}


def promise() -> str:
    """A contract with every kind of rule that holds a value, each in a form of its own."""
    texts = ", ".join(literal(value) for value in VALUES)
    columns = [
        ("id", "varchar", {"primaryKey": True, "customProperties": [ASIDE]}),
        ("kind", "varchar", {"quality": [{**valid(*VALUES), "name": ALL, "customProperties": [ASIDE]}]}),
        ("shape", "varchar", {"logicalTypeOptions": {"pattern": PATTERN}, "customProperties": [ASIDE]}),
        ("one", "varchar", {}),
    ]  # fmt: skip
    in_query = "'" + ALL.replace("'", "''").replace("{", "{{").replace("}", "}}").replace("\\:", "\\\\:") + "'"
    quality = [
        {
            **custom("unexpected_rows_expectation", unexpected_rows_query=f"select * from {{batch}} where one <> {in_query}"),
            "name": "${table}", "customProperties": [ASIDE],
        },
        {"name": "in", "type": "sql", "query": f"select count(*) from ${{table}} where kind not in ({texts})", "mustBe": 0},
        {"name": "max", "type": "sql", "query": "select max(one) from ${table} -- ${table}", "mustBe": ALL},
    ]  # fmt: skip
    data = json.loads(contract("shop.things", "things", columns, quality))
    return json.dumps({**data, "customProperties": [{"property": "quarantineLimit", "value": 0.9}]})


def good() -> pl.DataFrame:
    return pl.DataFrame({"id": VALUES, "kind": VALUES, "shape": VALUES, "one": [ALL] * len(VALUES)})


def broken() -> pl.DataFrame:
    return pl.concat([good(), pl.DataFrame({"id": ["${table}"], "kind": [WRONG], "shape": [WRONG], "one": [WRONG]})])


@pytest.fixture
def things(tmp_path: Path) -> Contract:
    write(tmp_path / "things.odcs.yaml", promise())
    return Contract.load(tmp_path / "things.odcs.yaml")


def judged(folder: Path, subject: AuditTarget, frame: pl.DataFrame) -> dict[tuple[str, str], bool]:
    frame.write_parquet(folder / "judged.parquet")
    checks = audit([subject], {subject.table: [folder / "judged.parquet"]}, CLOCK)
    return {(check.origin, check.rule): check.passed for check in checks}


def test_rows_that_keep_a_rule_are_not_set_aside(tmp_path: Path, things: Contract) -> None:
    stays, aside = split(tmp_path, things, good())
    assert (stays.rows(), aside.rows()) == (good().rows(), [])
    stays, aside = split(tmp_path, things, broken())
    assert stays.rows() == good().rows()[1:]  # the first has the key of the broken one
    assert set(aside["rule"]) == {rule.name for rule in things.quarantining if rule.name != "id is required"}


def test_an_audit_without_a_suite_by_the_committed_one_and_by_one_of_the_team_gives_the_same(
    tmp_path: Path, things: Contract
) -> None:
    path = tmp_path / "things.json"
    path.write_text(to_text(from_contract(things)), encoding="utf-8")
    target = AuditTarget("things", things, path, path)
    found = judged(tmp_path, target, good())
    assert [rule for rule, passed in found.items() if not passed] == []
    assert len([origin for origin, _ in found if origin == "suite"]) == len(things.rules)
    failed = {rule for rule, passed in judged(tmp_path, target, broken()).items() if not passed}
    assert set(found) - failed == {
        ("contract", "has the contract's 4 columns and types"),
        ("contract", "id is required"),
        ("suite", "column values to not be null: column=id"),
    }
    for frame in (good(), broken()):
        committed, memory = (judged(tmp_path, AuditTarget("things", things, suite), frame) for suite in (path, None))
        assert committed == memory


def test_only_a_query_has_a_table(tmp_path: Path) -> None:
    rule = custom("expect_column_values_to_match_regex", column="id", regex="${table} {batch}")
    write(tmp_path / "things.odcs.yaml", contract("shop.things", "things", [("id", "varchar", {})], [rule]))
    (found,) = from_contract(Contract.load(tmp_path / "things.odcs.yaml"))["expectations"]
    assert found["kwargs"] == {"column": "id", "regex": "${table} {batch}"}


@pytest.mark.slow
def test_plain_great_expectations_gives_the_same(tmp_path: Path, things: Contract) -> None:
    (tmp_path / "things.json").write_text(to_text(from_contract(things)), encoding="utf-8")
    cases = {}
    for name, frame in (("good", good()), ("broken", broken())):
        frame.write_parquet(tmp_path / f"{name}.parquet")
        cases[name] = (tmp_path / "things.json", "things", {"things": [tmp_path / f"{name}.parquet"]})
    found = plain_verdicts(cases, tmp_path)
    ours = judged(tmp_path, AuditTarget("things", things), broken())
    assert found["broken"] == {rule.name: ours["contract", rule.name] for rule in things.rules}
    assert [rule for rule, passed in found["good"].items() if not passed] == []


@pytest.mark.slow
def test_dbt_gives_the_same(tmp_path: Path) -> None:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    shop = tmp_path / "domains/shop"
    write(tmp_path / "pyproject.toml", "[tool.kit]\n")
    write(shop / "product.odps.yaml", descriptor("shop", outputs={"things": "dbt"}))
    write(shop / "dbt_project.yml", f"name: shop\nprofile: kit\nmacro-paths: [{ROOT / 'kit/dbt/macros'}]\n")
    write(shop / "models/things.sql", "select 1\n")
    write(shop / "contracts/things.odcs.yaml", promise())
    sync(Context(Config.load(tmp_path, {})))
    database = tmp_path / "plain.duckdb"
    write(tmp_path / "profiles.yml", f"kit: {{target: a, outputs: {{a: {{type: duckdb, path: {database}}}}}}}\n")
    arguments = ["test", "--project-dir", str(shop), "--profiles-dir", str(tmp_path), "--target-path", str(tmp_path / "target")]
    found = {}
    for name, frame in (("good", good()), ("broken", broken())):
        frame.write_parquet(tmp_path / f"{name}.parquet")
        with duckdb.connect(str(database)) as connection:
            connection.execute(f"create or replace table things as from '{tmp_path / name}.parquet'")
        try:
            done = dbtRunner().invoke([*arguments, "--log-level", "none", "--log-path", str(tmp_path / "logs")])
        finally:
            DuckDBConnectionManager.close_all_connections()
        found[name] = {node.node.name: node.failures for node in done.result}
    values = "table_a_table_b_batch_table_x_x_x_endraw_0_a_a_s_a_s_100_a"
    failures = {
        "things_id_is_required": 0, "things_id_is_unique": 1, f"things_{values}_a_a_x_a_a_a_b": 1,
        f"things_shape_matches_{values}": 1, "things_table": 1, "things_in": 1, "things_max": 1,
    }  # fmt: skip
    assert found == {"good": dict.fromkeys(failures, 0), "broken": failures}


TEXTS = """"${table}", $$ ${table} $$, $a$ '${table} $a$, e'\\'${table}'"""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("select 1", ("select 1",)),
        ("from ${table}", ("from ", "")),
        ("from ${table} where a = '${table}' or b in (from ${table})", ("from ", " where a = '${table}' or b in (from ", ")")),
        ("-- ${table}\nfrom ${table}", ("-- ${table}\nfrom ", "")),
        (f"select {TEXTS} from ${{table}}", (f"select {TEXTS} from ", "")),
    ],
)  # fmt: skip
def test_the_table_of_a_query_is_none_of_its_texts(text: str, parts: tuple[str, ...]) -> None:
    assert Query.from_contract(text) == Query(parts)


@pytest.mark.parametrize("value", VALUES)
def test_what_great_expectations_is_given_is_read_back(value: str) -> None:
    query = Query.rows_where(f"a = {literal(value)}")
    assert Query.from_suite(query.suite_text()) == query
    assert Query.from_contract(str(query)) == query
    assert duckdb.sql(f"select {literal(value)}").fetchone() == (value,)


PIECES = st.sampled_from(["$", "{", "}", "{{", "table", "batch", ":", "\\", "a", "%", "'", '"', "--", "\n", "\r", "é", " "])
ENGINE = create_engine("duckdb://")


@given(st.lists(PIECES | st.sampled_from(VALUES) | st.characters(exclude_categories=["Cs"]), max_size=8).map("".join))
def test_any_value_reaches_the_database(value: str) -> None:
    query = Query(("select x from ", f" as t where x = {literal(value)}"))
    assert Query.from_suite(query.suite_text()) == query
    assert str(text(query.suite_text().format(batch="t")).compile(ENGINE)) == query.sql("t")
    assert duckdb.execute(query.sql("(select ? as x)"), [value]).fetchall() == [(value,)]


@pytest.mark.parametrize("text", ["from {x}", "from {batch", "from {0}", "from {batch!r}", "from }"])
def test_a_query_that_great_expectations_cannot_fill_in(text: str) -> None:
    assert Query.from_suite(text) is None


def test_a_query_by_hand_holds_table_and_batch() -> None:
    text = "select * from ${table} where a in (select '{{x}} ${table} \\:b' from {batch})"
    assert Query.from_suite(text) == Query(("select * from ", " where a in (select '{x} ${table} :b' from ", ")"))
