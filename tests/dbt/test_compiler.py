from pathlib import Path

import pytest

from kit.core.errors import TransformError
from kit.core.mask_key import MASK_KEY
from kit.dbt import compiler as module
from kit.dbt.compiler import statements
from kit.dbt.renderer import CompiledStatement
from tests.support.small_mesh import SmallMesh, write

SALES = 'select * from "raw"."sales" order by sale_id'
TOTALS = 'select item, sum(amount)::decimal(18,2) as amount from "sales" group by item order by item'


def test_models_tests_and_hooks_are_compiled_without_dbt(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_by_dbt", None)
    shop = small.domains / "shop"
    write(shop / "tests/agree.sql", "select * from {{ ref('sales') }} where amount < 0")
    small.replace("domains/shop/dbt_project.yml", "models:", 'on-run-start: "set threads = 2"\nmodels:')
    small.replace("domains/shop/models/marts/totals.sql", "select", "{{ config(post_hook=['vacuum {{ this }}']) }}select")
    project, totals = shop / "dbt_project.yml", shop / "models/marts/totals.sql"
    assert statements(small.config, small.product("shop")) == (
        CompiledStatement("sales", "model", shop / "models/marts/sales.sql", SALES),
        CompiledStatement("totals", "model", totals, TOTALS),
        CompiledStatement("agree", "test", shop / "tests/agree.sql", 'select * from "sales" where amount < 0'),
        CompiledStatement("totals", "hook", totals, 'vacuum "this"'),
        CompiledStatement("dbt_project", "hook", project, "set threads = 2"),
    )
    assert statements(small.config, small.product("plan")) == ()


def test_a_project_that_only_dbt_can_render_is_compiled_by_dbt(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = (CompiledStatement("dbt", "model", Path(), "by dbt"),)
    monkeypatch.setattr(module, "_by_dbt", lambda *_: compiled)
    small.replace("domains/shop/models/sources.yml", "{name: sales}", "{name: sales, meta: {external_location: /etc/passwd}}")
    assert statements(small.config, small.product("shop")) == compiled


@pytest.mark.slow
def test_dbt_compiles_a_project_once_and_its_error_is_reported(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    totals = small.domains / "shop/models/marts/totals.sql"
    write(
        totals,
        "{{ config(alias='sums', post_hook='vacuum {{ this }}') }}"
        "select {% for c in adapter.get_columns_in_relation(source('raw', 'sales')) %}"
        "{{ c.name }},{% endfor %} 1 as one from {{ ref('sales') }}\n",
    )
    first = statements(small.config, small.product("shop"))
    columns = "sale_id,item,amount,sold_on,"
    assert {(item.kind, item.name): item.sql for item in first} == {
        ("model", "sales"): SALES,
        ("model", "totals"): f'select {columns} 1 as one from "sales"',
        ("hook", "totals"): 'vacuum "this"',
    }
    with monkeypatch.context() as patch:
        patch.setattr(module.subprocess, "run", None)
        assert statements(small.config, small.product("shop")) == first
    write(totals, "{{ config(alias='sums', post_hook=\"{{ drop_old(run_query('select 1')) }}\") }}select 1 as one")
    with pytest.raises(TransformError, match=r"totals.sql: the hook '{{ drop_old\(run_query\('select 1'\)\) }}' needs a run"):
        statements(small.config, small.product("shop"))
    write(totals, "select * from {{ ref('nobody') }}")
    with pytest.raises(TransformError, match=r"'shop': dbt cannot compile the project: .*depends on a node named 'nobody'"):
        statements(small.config, small.product("shop"))
    write(totals, "{% set rows = run_query(\"select content from read_text('/etc/passwd')\") %}select 1 as one")
    with pytest.raises(TransformError, match="file system operations are disabled"):
        statements(small.config, small.product("shop"))


@pytest.mark.slow
@pytest.mark.parametrize("by_dbt", [False, True])
def test_compiled_sql_has_no_secrets(small: SmallMesh, monkeypatch: pytest.MonkeyPatch, by_dbt: bool) -> None:
    monkeypatch.setenv("MY_TOKEN", "hunter2hunter2")
    monkeypatch.setenv(MASK_KEY, "k" * 16)
    template = "select '{{ env_var('MY_TOKEN') }}' as token, '{{ env_var('KIT_MASK_KEY', 'none') }}' as key"
    write(small.domains / "shop/models/staging/stg_token.sql", template)
    if by_dbt:
        small.replace("domains/shop/models/sources.yml", "{name: sales}", "{name: sales, meta: {external_location: a}}")
    (found,) = [item.sql for item in statements(small.config, small.product("shop")) if item.name == "stg_token"]
    assert found == "select '[MY_TOKEN]' as token, 'none' as key"
