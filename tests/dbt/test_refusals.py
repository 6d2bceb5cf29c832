from pathlib import Path

import pytest

from kit.dbt.refusals import refusals
from tests.support.small_mesh import SmallMesh, write

PROJECT = "name: shop\nmodels:\n  shop:\n    marts:\n      +materialized: {}\n"
HISTORY = "a dbt snapshot is a port of a product, in a file of its own: {% snapshot NAME %} in snapshots/NAME.sql"
ALONE = "the file has to contain the dbt snapshot 'a', {% snapshot a %}, alone"
COMPUTED = "an incremental model is a port of a product, with config(materialized='incremental', …) in its SQL"
TAGGED = "the tag 'contract' marks tests that a build leaves out, since the audit has them; choose another tag"
TESTS = "    data_tests: [{b: {config: {tags: contract}}}]\n"
NO_VIEWS = "DuckDB has no materialized views; write view, table or published"


def found(folder: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> list[str]:
    monkeypatch.chdir(folder)
    write(folder / "dbt_project.yml", PROJECT.format("published"))
    for path, text in files.items():
        write(folder / path.replace("__", "/").replace("_sql", ".sql").replace("_yml", ".yml"), text)
    return [str(refused) for refused in refusals(folder)]


@pytest.mark.parametrize("value", ["view", "table", "ephemeral", "published", "\"{{ var('kind', 'view') }}\""])
def test_what_a_build_does_as_dbt_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    entry = f"models:\n  - name: a\n    config: {{materialized: {value}}}\n"
    hooks = "{{ config(materialized='table', pre_hook='select 1', tags=['daily'], on_schema_change='fail') }} select 1"
    assert found(tmp_path, monkeypatch, dbt_project_yml=PROJECT.format(value), models__a_yml=entry, models__a_sql=hooks) == []


def test_snapshots_are_those_of_a_product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = "snapshots:\n  - {name: a, description: One row per version}\n"
    files = {"snapshots__a_sql": "{% snapshot a %} select 1 {% endsnapshot %}", "snapshots__a_yml": described}
    assert found(tmp_path, monkeypatch, **files) == []
    messages = [refused.message for refused in refusals(tmp_path, may_grow=False)]
    assert messages == [HISTORY, HISTORY]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"dbt_project_yml": PROJECT.format("incremental")}, f"dbt_project.yml:5: {COMPUTED}"),
        ({"dbt_project_yml": PROJECT.format("\"{{ 'incremental' if x else 'view' }}\"")}, f"dbt_project.yml:5: {COMPUTED}"),
        ({"models__a_yml": "version: 2\nmodels:\n  - name: a\n    config:\n      materialized: incremental\n"},
         f"models/a.yml:5: {COMPUTED}"),
        ({"models__a_sql": "{{ config({'materialized': 'incremental'}) }} select 1"}, f"models/a.sql:1: {COMPUTED}"),
        ({"macros__a_sql": "{% macro grow() %}\n{{ config(materialized='incremental') }}\n{% endmacro %}"},
         f"macros/a.sql:2: {COMPUTED}"),
        ({"models__a_sql": "select 1\n{{ config(\n  materialized='incremental' if target.name == 'prod' else 'table') }}"},
         f"models/a.sql:3: {COMPUTED}"),
        ({"models__a_sql": "{{ config(materialized='materialized_view') }} select 1"}, f"models/a.sql:1: {NO_VIEWS}"),
        ({"models__a_sql": "{{ config(materialized='external', location='x.csv') }} select 1"},
         "models/a.sql:1: an external model writes files of its own; write published for a port, table for any other model"),
        ({"models__a_sql": "{{ config(materialized='delta') }} select 1"},
         "models/a.sql:1: 'delta' is no materialization of the kit; write view, table, ephemeral, published or incremental"),
        ({"snapshots__a_sql": "{% snapshot b %} select 1 {% endsnapshot %}"}, f"snapshots/a.sql: {ALONE}"),
        ({"snapshots__a_sql": "select 1"}, f"snapshots/a.sql: {ALONE}"),
        ({"models__a_sql": "{# {% snapshot b %} #}\n{% snapshot a %} select 1 {% endsnapshot %}"},
         f"models/a.sql:2: {HISTORY}"),
        ({"snapshots__a_yml": "snapshots:\n  - name: a\n    relation: ref('b')\n"}, f"snapshots/a.yml:1: {HISTORY}"),
        ({"models__a_sql": "{{ config(tags=['contract']) }} select 1"}, f"models/a.sql:1: {TAGGED}"),
        ({"models__a_yml": f"models:\n  - name: a\n    config: {{tags: [contract]}}\n{TESTS}"},
         f"models/a.yml:3: {TAGGED}"),
    ],
)  # fmt: skip
def test_what_a_build_would_do_otherwise_is_refused_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: str
) -> None:
    assert found(tmp_path, monkeypatch, **files) == [expected]


def test_a_model_in_python_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "models/a.py", "def model(dbt, session): ...")
    (message,) = found(tmp_path, monkeypatch)
    assert message.startswith("models/a.py: a model in Python could read anything; ")


def test_a_folder_without_a_project_has_nothing_to_refuse(tmp_path: Path) -> None:
    assert list(refusals(tmp_path)) == []


def test_a_build_refuses_it_too(small: SmallMesh) -> None:
    small.replace("domains/shop/models/marts/totals.sql", "select", "{{ config({'materialized': 'incremental'}) }}select")
    outcome = small.build("shop")
    assert outcome.status == "failed"
    assert f"totals.sql:1: {COMPUTED}" in outcome.message


@pytest.mark.parametrize(
    "key", ["model-paths", "seed-paths", "test-paths", "macro-paths", "docs-paths", "packages-install-path"]
)
def test_a_path_outside_of_the_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    project = PROJECT.format("published")
    message = f"dbt_project.yml: {key} names '../there', outside of the domain folder; keep the files in it"
    assert found(tmp_path, monkeypatch, dbt_project_yml=f"{project}{key}: ../there\n") == [message]
    (tmp_path / "inside").symlink_to("/etc")
    assert len(found(tmp_path, monkeypatch, dbt_project_yml=f"{project}{key}: [inside]\n")) == 1
    assert found(tmp_path, monkeypatch, dbt_project_yml=f"{project}{key}: [own]\n") == []


def test_the_macros_of_the_kit_are_in_the_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = PROJECT.format("published") + "macro-paths: [macros, ../../kit/dbt/macros]\n"
    message = "outside of the domain folder; run `kit sync`, which writes the kit's macros into the folder"
    assert found(tmp_path, monkeypatch, dbt_project_yml=project) == [
        f"dbt_project.yml: macro-paths names '../../kit/dbt/macros', {message}"
    ]


def test_installed_packages_are_refused_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "dbt_packages/tools/dbt_project.yml", "name: tools\nmodels: {tools: {+materialized: external}}\n")
    write(tmp_path / "dbt_packages/tools/models/a.py", "def model(dbt, session): ...\n")
    refused = found(tmp_path, monkeypatch, dbt_project_yml=PROJECT.format("published"))
    assert [text.partition(": ")[0] for text in refused] == [
        "dbt_packages/tools/dbt_project.yml:2", "dbt_packages/tools/models/a.py"
    ]  # fmt: skip
