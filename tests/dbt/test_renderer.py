import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.build.table_code import table_code
from kit.core.config import Config
from kit.core.errors import TransformError
from kit.dbt import compiler
from kit.dbt.renderer import CompiledStatement, RenderedProject, rendered
from kit.mesh.product import DataProduct
from tests.support.small_mesh import SmallMesh, write

PROJECTS = Path(__file__).parent / "projects"
"""dbt projects with the traits of public ones: a shop, web sessions, a ledger."""


def open_project(small: SmallMesh, name: str) -> DataProduct:
    """The product `shop` with the dbt project of that name in place of its own."""
    product = small.product("shop")
    shutil.rmtree(product.folder / "models")
    shutil.copytree(PROJECTS / name, product.folder, dirs_exist_ok=True)
    return product


def texts(statements: tuple[CompiledStatement, ...]) -> tuple[dict[tuple[str, str], str], set[str]]:
    """The SQL of models and tests by kind and file, and that of hooks."""
    nodes = {(item.kind, item.path.name): item.sql for item in statements if item.kind != "hook"}
    return nodes, {item.sql for item in statements if item.kind == "hook"}


def assert_same_as_dbt(config: Config, product: DataProduct) -> None:
    project = RenderedProject(config, product)
    rendered = tuple(project.statements())
    assert texts(rendered) == texts(compiler._by_dbt(config, product, project))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in PROJECTS.iterdir()))
def test_a_project_is_rendered_as_dbt_does(small: SmallMesh, name: str) -> None:
    assert_same_as_dbt(small.config, open_project(small, name))


@pytest.mark.slow
def test_a_project_with_generated_tests_is_rendered_as_dbt_does(small: SmallMesh) -> None:
    assert_same_as_dbt(small.config, small.product("shop"))


MODEL = "models/staging/stg_payments.sql"


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        (MODEL, "select", "{{ config(alias='payments') }}select", "'alias' changes the name"),
        (MODEL, "select", "{{ config(materialized='ephemeral') }}select", "an ephemeral model"),
        (MODEL, "select", "{{ config(enabled=var('payment_methods') is none) }}select", "disabled by its own template"),
        (MODEL, "select", "{% set rows = run_query('select 1') %}select", "UndefinedError"),
        (MODEL, "select", "{% if execute %}{% do adapter.get_columns_in_relation(this) %}{% endif %}select", "UndefinedError"),
        (MODEL, "ref('raw_payments')", "ref('raw_payments', v=2)", "is no model"),
        (MODEL, "ref('raw_payments')", "ref('dbt_utils', 'raw_payments')", "is no model"),
        (MODEL, "select", "select {{ var('absent') }},", "the variable 'absent' has no value"),
        (MODEL, "select", "select '{{ env_var('DBT_ENV_SECRET_KEY', 'x') }}',", "the environment variable"),
        (MODEL, "select", "{% if modules is defined %}{{ modules.datetime.date.today() }}{% endif %}select", "only dbt knows"),
        (MODEL, "select", "select '{{ run_started_at }}', '{{ target.get('threads', 4) }}',", "only dbt knows"),
        (MODEL, "select", "{% if target.account == 'prod' %}{% endif %}select", "only dbt knows"),
        (MODEL, "select", "select {{ dbt_utils.star(ref('raw_payments')) }},", "'dbt_utils' is undefined"),
        (MODEL, "select", "select {{ adapter.dispatch('star', 'dbt_utils')() }},", "LookupError"),
        (MODEL, "select", "select {{ dbt.type_string() }},", "only dbt knows"),
        ("data-tests/assert_positive_total.sql", "select", "-- {{ this }}\nselect", "only dbt knows"),
        ("models/marts/schema.yml", "- name: orders", "- name: orders\n    versions: [{v: 1}]", "'versions' changes"),
        ("models/marts/schema.yml", "config: {post_hook", "config: {event_time: ordered_at, post_hook", "'event_time'"),
        ("models/staging/__sources.yml", "stores_export", "\"{{ target.name ~ '_stores' }}\"", "'identifier' is a template"),
        ("models/staging/__sources.yml", "- name: ecom", "- name: ecom\n    quoting: {identifier: false}", "'quoting' changes"),
        ("dbt_project.yml", "+materialized: view", "+enabled: \"{{ var('x', true) }}\"", "'enabled' is a template"),
        ("dbt_project.yml", "+materialized: view", "+materialized: ephemeral", "an ephemeral model"),
        ("dbt_project.yml", "+materialized: view", "+schema: extra", "'schema' changes"),
        ("dbt_project.yml", "seeds:", "dispatch: [{macro_namespace: dbt, search_order: [dbt]}]\nseeds:", "search order"),
    ],
)  # fmt: skip
def test_what_only_dbt_renders_is_refused(small: SmallMesh, file: str, old: str, new: str, reason: str) -> None:
    product = open_project(small, "jaffle_shop")
    small.replace(f"domains/shop/{file}", old, new)
    with pytest.raises(TransformError, match=reason):
        tuple(RenderedProject(small.config, product).statements())


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("packages.yml", "packages: []", "packages.yml is left to dbt"),
        (".dbtignore", "models/marts/", ".dbtignore is left to dbt"),
        ("macros/ref.sql", "{% macro ref(name) %}{{ builtins.ref(name) }}{% endmacro %}", "the macro 'ref' replaces"),
        ("macros/names.sql", "{% macro generate_alias_name() %}x{% endmacro %}", "the macro 'generate_alias_name' replaces"),
    ],
)
def test_a_project_that_replaces_parts_of_dbt_is_refused(small: SmallMesh, file: str, text: str, reason: str) -> None:
    product = open_project(small, "jaffle_shop")
    write(product.folder / file, text)
    with pytest.raises(TransformError, match=reason):
        tuple(RenderedProject(small.config, product).statements())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select '{{ var('color') }}' as c", "select 'red' as c"),
        ("select '{{ var('size', 'L') }}' as c", "select 'L' as c"),
        ("select '{{ env_var('KIT_ABSENT', 'x') }}' as c", "select 'x' as c"),
        ("{% if is_incremental() %}a{% else %}select 1 from {{ this }}{% endif %}", 'select 1 from "totals"'),
        ("select '{{ target.type }}'", "select 'duckdb'"),
        ("select {{ half('amount') }} from {{ ref('shop', 'sales') }}", 'select amount / 2 from "sales"'),
        ("{{ config(sql_header='create macro f(x) as x') }}select f(1)", "select f(1)"),
    ],
)
def test_names_in_templates(small: SmallMesh, text: str, expected: str) -> None:
    small.replace("domains/shop/dbt_project.yml", "models:", "vars: {color: blue, shop: {color: red}}\nmodels:")
    write(small.domains / "shop/macros/half.sql", "{% macro half(column) %}{{ column }} / 2{% endmacro %}")
    write(small.domains / "shop/models/marts/totals.sql", text)
    statements = tuple(RenderedProject(small.config, small.product("shop")).statements())
    assert {item.name: item.sql for item in statements if item.kind == "model"}["totals"] == expected
    assert texts(statements)[1] == ({"create macro f(x) as x"} if "sql_header" in text else set())


def test_a_partitioned_model_is_that_of_its_first_partition(small: SmallMesh) -> None:
    small.partitioned_shop()
    statements = RenderedProject(small.config, small.product("shop")).statements()
    assert next(statements).sql == """select * from "raw"."sales" where item::varchar = 'tea' order by sale_id"""


@pytest.fixture
def renderings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The projects that are rendered from now on."""
    found: list[str] = []
    render = RenderedProject.statements

    def statements(project: RenderedProject) -> Iterator[CompiledStatement]:
        found.append(project.product.name)
        return render(project)

    monkeypatch.setattr(RenderedProject, "statements", statements)
    return found


def test_a_project_is_rendered_once_until_a_file_changes(small: SmallMesh, renderings: list[str]) -> None:
    product = small.product("shop")
    first = rendered(small.config, product)
    assert compiler.statements(small.config, product) is first
    table_code(small.config, product, product.code_files())
    assert renderings == ["shop"]
    small.replace("domains/shop/models/marts/totals.sql", "group by", "-- edit\ngroup by")
    edited = compiler.statements(small.config, product)
    assert "-- edit" in next(item.sql for item in edited if item.name == "totals")
    assert renderings == ["shop", "shop"]


def test_a_project_is_rendered_again_for_another_value_of_a_variable_that_it_reads(
    small: SmallMesh, renderings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(small.domains / "shop/models/marts/totals.sql", "select '{{ env_var('COLOR', 'none') }}' as color")
    product, found = small.product("shop"), []
    for name, value in (("COLOR", "red"), ("SIZE", "L"), ("COLOR", "blue")):
        monkeypatch.setenv(name, value)
        found.append(next(item.sql for item in rendered(small.config, product) if item.name == "totals"))
    assert found == ["select 'red' as color", "select 'red' as color", "select 'blue' as color"]
    assert renderings == ["shop", "shop"]


def test_a_project_with_files_elsewhere_is_rendered_each_time(small: SmallMesh, renderings: list[str]) -> None:
    small.replace("domains/shop/dbt_project.yml", "models:", "macro-paths: [macros, ../shared]\nmodels:")
    write(small.domains / "shop/models/marts/totals.sql", "select {{ half('4') }} as x")
    product, found = small.product("shop"), []
    for number in (2, 3):
        write(small.domains / "shared/half.sql", f"{{% macro half(column) %}}{{{{ column }}}} / {number}{{% endmacro %}}")
        found.append(next(item.sql for item in rendered(small.config, product) if item.name == "totals"))
    assert found == ["select 4 / 2 as x", "select 4 / 3 as x"]


def test_why_only_dbt_can_render_a_project_is_found_once(small: SmallMesh, renderings: list[str]) -> None:
    small.replace("domains/shop/dbt_project.yml", "+materialized: published", "+materialized: ephemeral")
    for _ in range(2):
        with pytest.raises(TransformError, match="an ephemeral model"):
            rendered(small.config, small.product("shop"))
    assert renderings == ["shop"]
