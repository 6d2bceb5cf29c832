import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.dbt.project import TAG, Project, ProjectTest
from kit.dbt.project import test_name as generic_name
from tests.support.small_mesh import SmallMesh, write

ROOT = Path(__file__).parents[2]
MACROS = json.dumps(str(ROOT / "kit/dbt/macros"))
SETTINGS = "name: nasty\nversion: 1.0.0\nprofile: kit\nflags: {send_anonymous_usage_stats: false}\n"

# A project that uses what dbt allows and hardly anybody writes.
NASTY = {
    "dbt_project.yml": (
        SETTINGS + "model-paths: [models, more/models]\ntest-paths: [tests, checks]\nseed-paths: [data]\n"
        "models: {nasty: {+materialized: view, retired: {+enabled: false}}}\n"
        "data_tests: {nasty: {lenient: {+severity: warn}}}\n"
    ),
    "models/a.sql": "select 1 as id, 'x' as kind -- {{ ref('seeded') }}\n",
    "models/deep/er/b.sql": "{# {{ ref('gone') }} #}from {{ ref('nasty', 'a') }} join {{ ref('seeded') }} using (id)\n",
    "models/deep/c.sql": (
        "{{ config(materialized='view', tags=['t']) }}\n"
        "{% if var('full', true) %}select id from {{ ref('b') }}{% else %}select id from {{ ref('a') }}{% endif %}\n"
        "{% for table in ['one', 'two'] %}union all select id from {{ source('raw', 'things') }}{% endfor %}\n"
        "union all select id from {{ source('other', 'port') }}\n"
    ),
    "more/models/d.sql": "{%- set half = ref('c') -%}\nselect id from {{ half }} {{ half_of('d') }}\n",
    "models/unused.sql": "{{ config(enabled=false) }} select 1 as id\n",
    "models/shut.sql": "select 1 as id\n",
    "models/retired/e.sql": "select 1 as id\n",
    "models/.hidden.yml": "models: [{name: a, data_tests: [unseen]}]\n",
    "models/notes.md": "{% docs notes %}ref('gone'){% enddocs %}\n",
    "macros/half_of.sql": "{% macro half_of(name) %}where id > 0{% endmacro %}\n",
    "data/seeded.csv": "id,kind\n1,x\n",
    "data/seeds.yaml": (
        "version: 2\nseeds:\n- name: seeded\n  description: What was sown.\n  data_tests: [positive]\n"
        "  columns:\n  - name: id\n    data_tests: [unique, {not_null: {config: {severity: warn}}}]\n"
    ),
    "models/deep/schema.yaml": """\
models:
- name: a
  description: The first.
  data_tests:
  - positive
  - unique_pair: {arguments: {columns: [id, kind]}, config: {severity: WARN, where: id > 0}}
  columns:
  - name: id
    data_tests:
    - unique: {name: own_name, description: Said why., config: {severity: error, error_if: ">10", warn_if: ">1", limit: 5}}
    - not_null: {config: {store_failures_as: view, meta: {owner: me}, tags: [nightly], alias: short}}
    - relationships: {arguments: {to: ref('b'), field: id}}
    - {test_name: accepted_values, name: third, arguments: {values: [1, 2.5, true], quote: false}, config: {severity: warn}}
    - dbt.not_null: {name: spaced, config: {enabled: true}}
    - not_null: {name: switched_off, config: {enabled: false}}
  - name: kind
    quote: true
    data_tests: [accepted_values: {arguments: {values: [x, "ü"]}}]
- name: b
  tests: [positive: {column_name: id}]
- name: c
- name: unused
  data_tests: [positive]
- name: shut
  config: {enabled: false}
  data_tests: [positive]
- name: e
  data_tests: [positive]
- name: nowhere
  data_tests: [positive]
sources:
- name: raw
  tables:
  - name: things
    data_tests: [positive]
    columns:
    - {name: id, data_tests: [unique, relationships: {arguments: {to: ref('seeded'), field: id}}]}
- name: other
  config: {enabled: true}
  tables: [{name: port}]
unit_tests:
- {name: tiny, model: c, given: [], expect: {rows: []}, description: Nothing comes of nothing.}
- {name: idle, model: c, given: [], expect: {rows: []}, config: {enabled: false}}
""",
    "tests/generic/positive.sql": (
        "{% test positive(model, column_name='id') %}select * from {{ model }} where {{ column_name }} < 0{% endtest %}\n"
    ),
    "checks/generic/unique_pair.sql": "{% test unique_pair(model, columns) %}select 1 where false{% endtest %}\n",
    "tests/deep/agree.sql": "select 1 from {{ source('raw', 'things') }}, {{ ref('b') }}, {{ ref('a') }} where false\n",
    "tests/lenient/soft.sql": "select 1 from {{ ref('a') }} where false\n",
    "checks/warned.sql": "{{ config(severity = 'warn') }} select 1 from {{ source('raw', 'things') }} where false\n",
    "checks/alone.sql": "select 1 where false\n",
    "checks/asleep.sql": "{{ config(enabled=False) }} select 1 from {{ ref('a') }}\n",
}  # fmt: skip


def lay_out(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        write(folder / name, text)
    return folder


def models(project: Project) -> dict[str, list[str]]:
    return {model.name: sorted(model.reads) for model in project.models}


def parsed(folder: Path, target: Path) -> tuple[dict[str, list[str]], list[tuple[str, str, str]]]:
    """The models and seeds with what each reads, and the tests, as dbt itself sees them."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    from kit.dbt.runner import _PROFILES, _environment
    from kit.dbt.selection import check_name, tested_table

    arguments = [
        "parse", "--project-dir", str(folder), "--profiles-dir", str(_PROFILES), "--target-path", str(target),
        "--log-path", str(target), "--log-level", "none", "--log-level-file", "none", "--quiet", "--no-partial-parse",
        "--no-version-check", "--no-send-anonymous-usage-stats",
    ]  # fmt: skip
    with _environment(KIT_WORK_DATABASE=str(target / "work.duckdb"), KIT_STAGING=str(target), KIT_PORTS="", KIT_FILE="data"):
        try:
            done = dbtRunner().invoke(arguments)
        finally:
            DuckDBConnectionManager.close_all_connections()
    assert done.success, done.exception
    manifest: Any = done.result
    named = {item.unique_id: item.name for item in manifest.nodes.values()}
    named |= {item.unique_id: f"{item.schema}.{item.identifier}" for item in manifest.sources.values()}
    nodes = {
        item.name: sorted(named[other] for other in getattr(item.depends_on, "nodes", ()))
        for item in manifest.nodes.values() if item.resource_type in ("model", "seed")
    }  # fmt: skip
    tests = [
        item
        for item in (*manifest.nodes.values(), *manifest.unit_tests.values())
        if "test" in item.resource_type and item.config.enabled and TAG not in item.config.tags
    ]
    severity = {"warn": "warning", "error": "error"}
    return nodes, sorted(
        (tested_table(item), check_name(item), severity[getattr(item.config, "severity", "error").lower()]) for item in tests
    )


def test_a_project_is_read_as_dbt_reads_it(tmp_path: Path) -> None:
    project = Project.read(lay_out(tmp_path, NASTY))
    assert [(model.name, model.path, model.description, model.reads) for model in project.models] == [
        ("seeded", tmp_path / "data/seeded.csv", "What was sown.", ()),
        ("a", tmp_path / "models/a.sql", "The first.", ("seeded",)),
        ("c", tmp_path / "models/deep/c.sql", "", ("b", "a", "raw.things", "other.port")),
        ("b", tmp_path / "models/deep/er/b.sql", "", ("a", "seeded")),
        ("d", tmp_path / "more/models/d.sql", "", ("c",)),
    ]
    assert project.tests == (
        ProjectTest("positive", "a", "error", ""),
        ProjectTest('unique_pair {"columns": ["id", "kind"]}', "a", "warning", ""),
        ProjectTest("id: unique", "a", "error", "Said why."),
        ProjectTest("id: not_null", "a", "error", ""),
        ProjectTest("""id: relationships {"field": "id", "to": "ref('b')"}""", "a", "error", ""),
        ProjectTest('id: accepted_values {"quote": false, "values": [1, 2.5, true]}', "a", "warning", ""),
        ProjectTest("id: not_null", "a", "error", ""),
        ProjectTest('"kind": accepted_values {"values": ["x", "ü"]}', "a", "error", ""),
        ProjectTest("id: positive", "b", "error", ""),
        ProjectTest("positive", "seeded", "error", ""),
        ProjectTest("id: unique", "seeded", "error", ""),
        ProjectTest("id: not_null", "seeded", "warning", ""),
        ProjectTest("positive", "raw.things", "error", ""),
        ProjectTest("id: unique", "raw.things", "error", ""),
        ProjectTest("""id: relationships {"field": "id", "to": "ref('seeded')"}""", "raw.things", "error", ""),
        ProjectTest("unit test tiny", "c", "error", "Nothing comes of nothing."),
        ProjectTest("agree", "b", "error", ""),
        ProjectTest("soft", "a", "warning", ""),
        ProjectTest("alone", "", "error", ""),
        ProjectTest("warned", "raw.things", "warning", ""),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jaffle_shop", "shop", "nasty"])
def test_dbt_sees_the_same_models_and_tests(tmp_path: Path, name: str) -> None:
    if name == "nasty":
        folder = lay_out(tmp_path / name, NASTY)
    elif name == "shop":
        folder = SmallMesh(tmp_path / name).product(name).folder
    else:
        folder = Path(shutil.copytree(ROOT / "tests/dbt/projects" / name, tmp_path / name))
    made, tests = parsed(folder, tmp_path / "target")
    project = Project.read(folder)
    if name == "nasty":
        made["c"].insert(0, "a")  # in the branch that is not taken
    assert models(project) == made
    assert sorted((test.table, test.name, test.severity) for test in project.tests) == tests


SEVERAL = {"dbt_project.yml": SETTINGS, "models/a.sql": "select 1 as id\n"}


# Each: files that dbt refuses or overlooks beside a model `a`, and the names of the models and tests that are left.
@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({"dbt_project.yml": "- a list\n"}, ([], [])),
        ({"dbt_project.yml": "name: [\n"}, ([], [])),
        ({"dbt_project.yml": SETTINGS + "model-paths: nowhere\n"}, ([], [])),
        ({"dbt_project.yml": SETTINGS + "model-paths: 7\n"}, ([], [])),
        ({"dbt_project.yml": SETTINGS + "models: text\ndata_tests: [1]\n"}, (["a"], [])),
        ({"dbt_project.yml": SETTINGS + "models: {+enabled: false}\n"}, ([], [])),
        ({"dbt_project.yml": SETTINGS + "models: {nasty: {a: {enabled: false}}}\n"}, ([], [])),
        ({"models/b.sql": "{% if %}{{ ref('a') }}"}, (["a", "b"], [])),
        ({"models/b.sql": "{{ ref(a) }}{{ ref() }}{{ source('a') }}{{ config({'a': 1}) }}{{ config(**b) }}"}, (["a", "b"], [])),
        ({"models/b.yml": "models: {a: {data_tests: [unique]}}\n"}, (["a"], [])),
        ({"models/b.yml": "models: [text, 1, null, [a], {data_tests: [unique]}]\n"}, (["a"], [])),
        ({"models/b.yml": "models: [{name: a, columns: text, data_tests: text}]\n"}, (["a"], [])),
        ({"models/b.yml": "models: [{name: a, data_tests: {unique: {}}}]\n"}, (["a"], [])),
        ({"models/b.yml": "models: [{name: a, data_tests: [1, null, [], {}, {a: 1, b: 2}]}]\n"}, (["a"], [])),
        ({"models/b.yml": "models: [{name: a, data_tests: [own: text, it: {config: 1}]}]\n"}, (["a"], ["own", "it"])),
        (
            {"models/b.yml": "models: [{name: a, data_tests: [own: {arguments: {1: a, b: 2024-01-31}}]}]\n"},
            (["a"], ['own {"1": "a", "b": "2024-01-31"}']),
        ),
        ({"models/b.yml": "models: [{name: a, columns: [1, {data_tests: [unique]}]}]\n"}, (["a"], ["None: unique"])),
        ({"models/b.yml": "sources: [1, {name: s}, {name: s, tables: text}, {tables: [1, {}]}]\n"}, (["a"], [])),
        ({"models/b.yml": "unit_tests: [1, {}, {name: u, model: b}]\n"}, (["a"], [])),
        ({"models/b.yml": "models: [{name: a, description: 2024-99-99}]\n"}, (["a"], [])),
        ({"models/b.yml": "[" * 5000}, (["a"], [])),
        ({"models/b.yml": "a: &a [*a]\nmodels: *b\n"}, (["a"], [])),
        ({"tests/generic/deep/own.sql": "{% test own() %}1{% endtest %}", "tests/fixtures/f.sql": "1"}, (["a"], [])),
        ({"tests/.hidden.sql": "select 1", "models/.hidden.sql": "select 1", "models/b.txt": "select 1"}, (["a"], [])),
    ],
)  # fmt: skip
def test_what_dbt_will_refuse_is_passed_over(tmp_path: Path, files: dict[str, str], left: tuple[list[str], list[str]]) -> None:
    project = Project.read(lay_out(tmp_path, {**SEVERAL, **files}))
    assert ([model.name for model in project.models], [test.name for test in project.tests]) == left


def test_a_file_that_is_no_text_is_passed_over(tmp_path: Path) -> None:
    lay_out(tmp_path, SEVERAL)
    (tmp_path / "models/b.yml").write_bytes(b"\xff")
    (tmp_path / "models/b.sql").write_bytes(b"\xff")
    assert [(model.name, model.reads) for model in Project.read(tmp_path).models] == [("a", ()), ("b", ())]


def test_no_folder_is_an_empty_project(tmp_path: Path) -> None:
    assert Project.read(tmp_path / "nowhere") == Project((), ())


@pytest.mark.parametrize(
    ("kind", "column", "arguments", "name"),
    [
        ("unique", "sale_id", {"model": "m", "column_name": "sale_id"}, "sale_id: unique"),
        ("positive", None, {}, "positive"),
        ("accepted_values", "item", {"values": ["tea", "cake"]}, 'item: accepted_values {"values": ["tea", "cake"]}'),
        ("between", None, {"b": 1, "a": {2: "x", "c": None}}, 'between {"a": {"2": "x", "c": null}, "b": 1}'),
    ],
)
def test_how_a_generic_test_is_called(kind: str, column: str | None, arguments: dict[Any, Any], name: str) -> None:
    assert generic_name(kind, column, arguments) == name


def test_a_file_is_parsed_again_only_after_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []
    load = yaml.load
    monkeypatch.setattr(yaml, "load", lambda text, Loader: texts.append(text) or load(text, Loader=Loader))
    write(tmp_path / "dbt_project.yml", "name: twice\nversion: 1.0.0\n")
    write(tmp_path / "models/a.sql", "select 1 as id\n")
    write(tmp_path / "models/a.yml", f"models: [{{name: a, description: '{tmp_path}'}}]\n")
    first = Project.read(tmp_path)
    read = len(texts)
    assert read >= 1
    assert Project.read(tmp_path) == first
    assert len(texts) == read
    write(tmp_path / "models/a.yml", "models: [{name: a, description: other}]\n")
    assert [model.description for model in Project.read(tmp_path).models] == ["other"]
