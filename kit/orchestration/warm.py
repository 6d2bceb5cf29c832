"""A process ready for builds: it has imported what they need and parsed a dbt project, but never opened a database."""

import tempfile
from pathlib import Path

_MODEL = "{{{{ config(materialized='{kind}') }}}} select id from {{{{ {source} }}}}\n"
_PROJECT = {
    "dbt_project.yml": "name: warm\nversion: 1.0.0\nprofile: kit\nmodels: {warm: {+materialized: published}}\n",
    "models/first.sql": _MODEL.format(kind="view", source="source('given', 'table')"),
    "models/second.sql": _MODEL.format(kind="published", source="ref('first')"),
    "models/models.yml": """
version: 2
sources: [{name: given, tables: [{name: table, columns: [{name: id, data_tests: [not_null]}]}]}]
models:
- name: second
  config: {contract: {enforced: true}}
  columns: [{name: id, data_type: integer, data_tests: [unique, {accepted_values: {arguments: {values: [1]}}}]}]
unit_tests:
- {name: some, model: second, given: [{input: ref('first'), rows: [{id: 1}]}], expect: {rows: [{id: 1}]}}
""",
}
"""A project with one of each thing that dbt compiles code for when it reads the first one."""


def warm_up() -> None:
    """Import and parse; a process may be forked from this one afterwards.

    Not after a run of dbt, nor after work of DuckDB or polars: they start threads, for which a forked process would wait.
    """
    import dagster._core.storage.event_log
    import dagster._grpc
    import dbt.adapters.duckdb.connections
    import dbt.task.build
    import duckdb_sqlalchemy
    import nbformat
    import polars
    import sqlalchemy.dialects.sqlite
    import sqlglot.optimizer

    import kit.exchange.dbt_database
    import kit.exchange.iceberg
    import kit.exchange.mesh_database
    import kit.exchange.openlineage
    import kit.exchange.postgres
    import kit.notebooks.kernel
    import kit.orchestration.definitions
    import kit.orchestration.event_log
    import kit.orchestration.run  # noqa: F401
    from kit.dbt.committed import MACROS, macros
    from kit.dbt.runner import manifest
    from kit.quality import load_judge

    load_judge()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "warm")
        for name, text in {**_PROJECT, f"macros/{MACROS}": macros()}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        # The parser in Rust has threads too; the one in Python compiles the templates that it needs in any case.
        manifest(folder, Path(place, "target"), "--no-static-parser")
