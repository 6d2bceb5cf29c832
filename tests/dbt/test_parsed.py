from pathlib import Path

import pytest

from kit.dbt.parsed import parses_alike
from tests.support.products import write_dbt_project
from tests.support.small_mesh import write

MODEL = "select * from {{ source('raw', 'sales') }} where day = '{{ var('partition') }}'\n"


@pytest.mark.parametrize(
    ("files", "alike"),
    [
        ({"models/a.sql": MODEL}, True),
        ({"models/a.sql": "{{ config(materialized='published') }} " + MODEL}, True),
        ({"models/a.sql": "{% if is_incremental() %} select 1 {% endif %}" + MODEL}, True),
        # What a model reads, or how it is set, may depend on the key.
        ({"models/a.sql": "{{ config(tags=[var('partition')]) }} " + MODEL}, False),
        ({"models/a.sql": "{% if var('partition') == 'tea' %} select * from {{ ref('b') }} {% endif %}"}, False),
        ({"models/a.sql": "{{ ref(var('partition')) }}"}, False),
        ({"models/a.sql": "{% set key = var('partition') %} select '{{ key }}'"}, False),
        ({"models/a.sql": "select '{{ var(var('partition')) }}'"}, False),
        ({"models/a.sql": "select '{{ var }}'"}, False),
        ({"models/a.sql": "select '{{ builtins.var('partition') }}'"}, False),
        ({"models/a.sql": "select '{{ env_var('KIT_FILE') }}'"}, False),
        ({"models/a.sql": "select {{ broken"}, True),
        ({"models/a.sql": "select {{ var( broken"}, False),
        ({"macros/a.sql": "{% macro key() %}{{ var('partition') }}{% endmacro %}"}, False),
        ({"macros/a.sql": "{% macro one() %}1{% endmacro %}"}, True),
        ({"models/a.yml": "models:\n  - name: a\n    config: {enabled: \"{{ var('partition') == 'tea' }}\"}\n"}, False),
        ({"models/a.yml": "models:\n  - name: a\n    description: no var\n"}, True),
        ({"dbt_packages/x/dbt_project.yml": "name: x\n"}, False),
    ],
)
def test_a_project_is_parsed_once_where_variables_are_only_printed(tmp_path: Path, files: dict[str, str], alike: bool) -> None:
    write_dbt_project(tmp_path)
    for path, text in files.items():
        write(tmp_path / path, text)
    assert parses_alike(tmp_path) == alike
