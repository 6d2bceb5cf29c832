"""SQL stays within what was declared for it."""

import os
import shutil
from pathlib import Path

import duckdb
import pytest

from kit.core import database as work
from kit.core import sandbox
from kit.governance.check import check_mesh
from tests.support.files import write
from tests.support.findings import pairs
from tests.support.small_mesh import SmallMesh

BOUNDS = "is not allowed: SQL reads its own product's tables and declared inputs, and writes only ports; declare"


@pytest.fixture
def shut(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """A confined connection: it may read `in/given.parquet`, which is the view `given`, and write below `out`."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    shutil.copy(_parquet(tmp_path / "in/given.parquet"), tmp_path / "in/other.parquet")
    database = tmp_path / "work.duckdb"
    with work.connect(database) as connection:
        work.add_views(connection, {"given": [tmp_path / "in/given.parquet"]})
    sandbox.declare(database, [tmp_path / "in/given.parquet"], [tmp_path / "out"])
    connection = duckdb.connect(str(database))
    sandbox.confine_as_declared(connection, database)
    return connection


def _parquet(path: Path) -> Path:
    duckdb.connect().execute(f"copy (select 1 as id) to {work.literal(str(path))}")
    return path


def test_a_path_may_hold_the_signs_of_a_pattern(tmp_path: Path) -> None:
    file = tmp_path / "it's [1] *?" / "given.parquet"
    file.parent.mkdir()
    with work.connect() as connection:
        work.add_views(connection, {"given": [_parquet(file)]})
        sandbox.confine(connection, [file])
        assert connection.execute("from given").fetchall() == [(1,)]


def test_what_was_declared_is_open(tmp_path: Path, shut: duckdb.DuckDBPyConnection) -> None:
    shut.execute(f"copy (select id + 1 as id from given) to '{tmp_path}/out/made.parquet'; create table own as from given")
    assert shut.execute(f"from own union all from '{tmp_path}/out/made.parquet' order by id").fetchall() == [(1,), (2,)]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("from read_text('/etc/passwd')", "'/etc/passwd' is not allowed: SQL reads"),
        ("from read_csv('HERE/out/../in/other.csv')", "'HERE/out/../in/other.csv' is not allowed"),
        ("from 'HERE/in/other.parquet'", "'HERE/in/other.parquet' is not allowed"),
        ("from glob('HERE/in/*')", "'HERE/in/*' is not allowed"),
        ("from 'https://example.com/x.parquet'", "'https://example.com/x.parquet' is not allowed"),
        ("copy given to 'HERE/new.parquet'", "'HERE/new.parquet' is not allowed"),
        ("copy given to 'HERE/in/given.parquet'", "'HERE/in/tmp_given.parquet' is not allowed"),
        ("attach 'HERE/new.duckdb'", "'HERE/new.duckdb' is not allowed"),
        ("export database 'HERE/in'", "'HERE/in' is not allowed"),
        ("install httpfs", "writes outside of the build (in DuckDB's own folder); remove it"),
        ("create persistent secret s (type s3)", "writes outside of the build (in DuckDB's own folder); remove it"),
        ("load httpfs", "loads an extension of DuckDB, which is fixed during a build; remove it"),
        ("set enable_external_access = true", "changes the setting 'enable_external_access', which is fixed during"),
        ("pragma threads = 1", "changes the setting 'threads', which is fixed during a build; remove it"),
        ("from tmp_path", "Catalog Error: Table with name tmp_path does not exist!"),
    ],
)
def test_nothing_else_is(tmp_path: Path, shut: duckdb.DuckDBPyConnection, query: str, says: str) -> None:
    before = sorted(os.walk(tmp_path))
    with pytest.raises(duckdb.Error) as error:
        shut.execute(query.replace("HERE", str(tmp_path)))
    assert sandbox.explain(str(error.value)).startswith(says.replace("HERE", str(tmp_path)))
    assert sorted(os.walk(tmp_path)) == before


def test_without_a_declaration_nothing_is_open(tmp_path: Path) -> None:
    file = _parquet(tmp_path / "some.parquet")
    connection = duckdb.connect(str(tmp_path / "work.duckdb"))
    for _ in range(2):  # again is as once
        sandbox.confine_as_declared(connection, tmp_path / "work.duckdb")
    with pytest.raises(duckdb.PermissionException):
        connection.execute(f"from '{file}'")
    assert connection.execute("create table t as select 1; from t").fetchall() == [(1,)]


def test_a_snapshot_out_of_bounds_is_named_by_its_port() -> None:
    path = "/m/products/shop/20260101T000000Z-1/sales/data.parquet"
    refused = f'Permission Error: Cannot access file "{path}" - file system operations are disabled by configuration'
    assert sandbox.explain(refused) == f"'{path}' {BOUNDS} 'shop.sales' as an input in product.odps.yaml"


HOSTILE = {
    "attaches": "{% do run_query(\"attach 'ROOT/x.duckdb'\") %} select 1 as id",
    "installs": "{{ config(pre_hook='install httpfs') }} select 1 as id",
    "overwrites": "{{ config(post_hook=\"copy (select 1) to 'ROOT/pinned' (Use_Tmp_File false)\") }} select 1 as id",
    "reads_a_file": "select * from read_text('/etc/passwd')",
    "reads_another_product": "select * from 'ROOT/state/products/plan/1/forecast/data.parquet'",
    "sets": "{{ config(pre_hook='set enable_external_access = true') }} select 1 as id",
    "writes": "{{ config(pre_hook=\"copy (select 1) to 'ROOT/written.csv'\") }} select 1 as id",
}


@pytest.mark.slow
def test_models_cannot_leave_their_product(small: SmallMesh) -> None:
    shop, root = small.domains / "shop", str(small.root)
    write(small.root / "state/products/plan/1/forecast/data.parquet", "")
    write(shop / "seeds/sown.csv", "id\n1\n")
    write(shop / "models/honest.sql", "{{ config(materialized='table') }} select id from {{ ref('sown') }}\n")
    for name, sql in HOSTILE.items():
        write(shop / f"models/hostile/{name}.sql", "{{ config(materialized='table') }}" + sql.replace("ROOT", root) + "\n")
    outcome = small.build("shop")
    head, _, details = outcome.message.partition(" nodes: ")
    assert head.startswith("'shop': dbt failed at 7 of ")
    lines = details.splitlines()
    told = {line.partition(": ")[0].partition("hostile/")[2]: line.partition(": ")[2].replace(root, "ROOT") for line in lines}
    assert told == {
        "attaches.sql": f"'ROOT/x.duckdb' {BOUNDS} the port it belongs to as an input in product.odps.yaml",
        "installs.sql": "writes outside of the build (in DuckDB's own folder); remove it",
        "overwrites.sql": told["overwrites.sql"],
        "reads_a_file.sql": f"'/etc/passwd' {BOUNDS} the port it belongs to as an input in product.odps.yaml",
        "reads_another_product.sql": (
            f"'ROOT/state/products/plan/1/forecast/data.parquet' {BOUNDS} 'plan.forecast' as an input in product.odps.yaml"
        ),
        "sets.sql": "changes the setting 'enable_external_access', which is fixed during a build; remove it",
        "writes.sql": f"'ROOT/written.csv' {BOUNDS} the port it belongs to as an input in product.odps.yaml",
    }
    assert told["overwrites.sql"].endswith("the option use_tmp_file lets a model overwrite its inputs; remove it")
    assert sorted(path.name for path in small.root.iterdir()) == [
        "catalog.yaml", "domains", "feed", "pyproject.toml", "state",
    ]  # fmt: skip


def test_a_model_in_python_is_refused(small: SmallMesh) -> None:
    write(small.domains / "shop/models/free.py", "def model(dbt, session):\n    return session.sql('select 1')\n")
    says = (
        "domains/shop/models/free.py: a model in Python could read anything; write it in SQL, or make the port with a notebook"
    )
    assert any(message.endswith(says) for _, message in pairs(check_mesh(small.context)))
    assert small.build("shop").message.endswith(says)
