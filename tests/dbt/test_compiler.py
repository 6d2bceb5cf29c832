from pathlib import Path

import pytest

from kit.core.config import Config
from kit.core.errors import TransformError
from kit.dbt import compiler as module
from kit.dbt.compiler import CompiledStatement, compiled, statements
from kit.mesh.mesh import Mesh
from tests.conftest import ROOT
from tests.support.small_mesh import SmallMesh, write

SALES = 'select * from "raw"."sales" order by sale_id'
TOTALS = 'select item, sum(amount)::decimal(18,2) as amount from "sales" group by item order by item'


@pytest.fixture
def no_dbt(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("dbt was asked")

    monkeypatch.setattr(module, "_by_dbt", refuse)


def test_models_are_compiled_without_dbt(small: SmallMesh, no_dbt: None) -> None:
    assert compiled(small.config, small.product("shop")) == {"sales": SALES, "totals": TOTALS}
    assert compiled(small.config, small.product("plan")) == {}


def test_tests_and_hooks_are_statements_too(small: SmallMesh, no_dbt: None) -> None:
    shop = small.domains / "shop"
    write(shop / "tests/agree.sql", "select * from {{ ref('sales') }} where amount < 0")
    small.replace("domains/shop/dbt_project.yml", "models:", 'on-run-start: "set threads = 2"\nmodels:')
    small.replace("domains/shop/models/marts/totals.sql", "select", "{{ config(post_hook=['vacuum']) }}select")
    project, totals = shop / "dbt_project.yml", shop / "models/marts/totals.sql"
    assert statements(small.config, small.product("shop")) == (
        CompiledStatement("sales", "model", shop / "models/marts/sales.sql", SALES),
        CompiledStatement("totals", "model", totals, TOTALS),
        CompiledStatement("agree", "test", shop / "tests/agree.sql", 'select * from "sales" where amount < 0'),
        CompiledStatement("totals", "hook", totals, "vacuum"),
        CompiledStatement("dbt_project", "hook", project, "set threads = 2"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select '{{ var('color') }}' as c", "select 'red' as c"),
        ("select '{{ var('size', 'L') }}' as c", "select 'L' as c"),
        ("select '{{ env_var('KIT_ABSENT', 'x') }}' as c", "select 'x' as c"),
        ("{% if is_incremental() %}a{% else %}select 1 from {{ this }}{% endif %}", 'select 1 from "totals"'),
        ("select '{{ target.type }}'", "select 'duckdb'"),
        ("select {{ half('amount') }} from {{ ref('shop', 'sales') }}", 'select amount / 2 from "sales"'),
    ],
)
def test_what_templates_know(small: SmallMesh, no_dbt: None, text: str, expected: str) -> None:
    small.replace("domains/shop/dbt_project.yml", "macro-paths: [", "macro-paths: [macros, ")
    small.replace("domains/shop/dbt_project.yml", "models:", "vars: {color: blue, shop: {color: red}}\nmodels:")
    write(small.domains / "shop/macros/half.sql", "{% macro half(column) %}{{ column }} / 2{% endmacro %}")
    write(small.domains / "shop/models/marts/totals.sql", text)
    assert compiled(small.config, small.product("shop"))["totals"] == expected


def test_a_partitioned_model_is_that_of_its_first_partition(small: SmallMesh, no_dbt: None) -> None:
    small.partitioned_shop()
    found = compiled(small.config, small.product("shop"))["sales"]
    assert found == """select * from "raw"."sales" where item::varchar = 'tea' order by sale_id"""


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("models/sources.yml", "{name: sales}", "{name: sales, meta: {external_location: /etc/passwd}}"),
        ("models/sources.yml", "name: raw", "name: raw, schema: plan"),
        ("models/marts/totals.sql", "select", "{{ config(alias='other') }}select"),
        ("models/marts/totals.sql", "select", "{{ ask_the_database() }}select"),
        ("dbt_project.yml", "+materialized", "+schema: extra, +materialized"),
    ],
)
def test_what_only_dbt_knows_is_left_to_dbt(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str
) -> None:
    monkeypatch.setattr(module, "_by_dbt", lambda config, product: (CompiledStatement("dbt", "model", Path(), "by dbt"),))
    small.replace(f"domains/shop/{file}", old, new)
    assert compiled(small.config, small.product("shop")) == {"dbt": "by dbt"}


@pytest.mark.slow
def test_dbt_is_asked_once_and_its_refusal_is_told(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    totals = small.domains / "shop/models/marts/totals.sql"
    write(
        totals,
        "{{ config(alias='sums', post_hook='vacuum') }}"
        "select {% for c in adapter.get_columns_in_relation(source('raw', 'sales')) %}"
        "{{ c.name }},{% endfor %} 1 as one from {{ ref('sales') }}\n",
    )
    first = statements(small.config, small.product("shop"))
    found = {(item.kind, item.name): item.sql for item in first}
    columns = "sale_id,item,amount,sold_on,"
    assert found[("model", "sales")] == SALES
    assert found[("model", "totals")] == f'select {columns} 1 as one from "sales"'
    assert found[("hook", "totals")] == "vacuum"
    with monkeypatch.context() as patch:
        patch.setattr(module.subprocess, "run", None)
        assert statements(small.config, small.product("shop")) == first
    write(totals, "select * from {{ ref('nobody') }}")
    with pytest.raises(TransformError, match=r"'shop': dbt cannot compile the project: .*depends on a node named 'nobody'"):
        compiled(small.config, small.product("shop"))
    write(totals, "{% set rows = run_query(\"select content from read_text('/etc/passwd')\") %}select 1 as one")
    with pytest.raises(TransformError, match="file system operations are disabled"):
        compiled(small.config, small.product("shop"))


@pytest.mark.slow
def test_the_demo_is_compiled_as_dbt_does(tmp_path: Path) -> None:
    config = Config.load(ROOT, {"KIT_STORAGE": str(tmp_path)})
    product = Mesh.load(config.domains).product("marketing")
    ours = {item.path: " ".join(item.sql.split()) for item in statements(config, product)}
    assert ours == {item.path: " ".join(item.sql.split()) for item in module._by_dbt(config, product)}
