"""What a build imports and what dbt parses once in a process, for processes that are forked from one which has it.

Not `kit.cli`: its consoles ask at import what the output is.
"""

import tempfile
from pathlib import Path

import dagster._core.storage.event_log
import dagster._grpc  # noqa: F401
import dbt.adapters.duckdb.connections
import dbt.task.build  # noqa: F401
import duckdb_sqlalchemy  # noqa: F401
import great_expectations.expectations.core  # noqa: F401
import nbformat  # noqa: F401
import polars  # noqa: F401
import pytest  # noqa: F401
import sqlalchemy.dialects.sqlite  # noqa: F401
import sqlglot.optimizer  # noqa: F401
from dbt_common.tests import enable_test_caching

import kit.build.build
import kit.exchange.mesh_database
import kit.exchange.openlineage
import kit.notebooks.kernel
import kit.orchestration.assets
import kit.orchestration.executor
import kit.orchestration.run  # noqa: F401
from kit.dbt import runner
from tests.support.products import write_dbt_project

enable_test_caching()
# Macros only: dbt reads models with threads of its own, for which a forked process would wait forever.
with tempfile.TemporaryDirectory() as _folder:
    write_dbt_project(Path(_folder, "warm"))
    runner.manifest(Path(_folder, "warm"), Path(_folder, "target"))
