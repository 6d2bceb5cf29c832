"""A process ready for builds: it has imported what they need and parsed a dbt project, but never opened a database."""

import gc
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from kit.orchestration import dagster_internals

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
  columns:
  - {name: id, data_type: integer, constraints: [{type: not_null}],
     data_tests: [unique, {accepted_values: {arguments: {values: [1]}}}]}
unit_tests:
- {name: some, model: second, given: [{input: ref('first'), rows: [{id: 1}]}], expect: {rows: [{id: 1}]}}
""",
    "seeds/third.csv": "id\n1\n",
    "snapshots/fourth.sql": "{% snapshot fourth %}{{ config(unique_key='id', strategy='check', check_cols='all') }}"
    "select id from {{ ref('third') }}{% endsnapshot %}\n",
    "tests/fifth.sql": "select id from {{ ref('fourth') }} where false\n",
}
"""A project with one of each thing that dbt compiles code for when it reads the first one, also of what it has parsed."""


_MODULES = (
    *dagster_internals.MODULES, "dbt.adapters.duckdb.environments.local", "dbt.task.build",
    "dbt_common.clients.agate_helper", "duckdb_sqlalchemy.alembic_impl", "multiprocessing.dummy", "nbformat", "polars",
    "rich.live", "rich.progress", "rich.table", "sqlalchemy.dialects.sqlite", "sqlglot.dialects.duckdb",
    "sqlglot.generators.duckdb", "sqlglot.optimizer.annotate_types", "sqlglot.optimizer.pushdown_projections",
    "sqlglot.optimizer.qualify", "sqlglot.parsers.duckdb", "typer", "kit.dbt.plugin", "kit.exchange.dbt_database",
    "kit.exchange.iceberg", "kit.exchange.mesh_database", "kit.exchange.openlineage", "kit.exchange.postgres",
    "kit.notebooks.kernel", "kit.orchestration.definitions", "kit.orchestration.event_log", "kit.orchestration.retention",
    "kit.orchestration.run", "kit.storage.status", "rich._emoji_codes", "rich.status",
)  # fmt: skip
"""What a build imports beside what these import. Not `kit.cli`: its consoles ask at import what the output is."""

_OPTIONAL = (
    "pyarrow.dataset", "pyarrow.parquet", "pyiceberg.catalog.sql", "pyiceberg.io.pyarrow", "upath.implementations.local",
)  # fmt: skip
"""What a build imports where it is installed."""


def warm_up() -> None:
    """Import and parse; a process may be forked from this one afterwards.

    Not after a run of dbt, nor after work of DuckDB or polars: they start threads, for which a forked process would wait.
    """
    from dbt.adapters.factory import reset_adapters

    from kit.build import LISTENERS
    from kit.core import points_of
    from kit.dbt.committed import MACROS, macros
    from kit.dbt.runner import manifest
    from kit.quality import load_judge

    load_judge()
    for name in _MODULES:
        import_module(name)
    for name in _OPTIONAL:
        with suppress(ImportError):
            import_module(name)
    points_of(LISTENERS)
    dagster_internals.read_migrations()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "warm")
        for name, text in {**_PROJECT, f"macros/{MACROS}": macros()}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        for _ in ("parse", "read what was parsed"):
            # The parser in Rust has threads too; the one in Python compiles the templates that it needs in any case.
            manifest(folder, Path(place, "target"), "--no-static-parser")
    reset_adapters()
    gc.collect()  # the semaphores of the adapter too, which else are reported as lost at the end
