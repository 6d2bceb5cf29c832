"""A process that is ready for builds: it has imported what they import, and can be forked."""

import json

import pytest

from tests.support.small_mesh import SmallMesh
from tests.support.workers import python

REPORT = """
import json, os, sys
from kit.orchestration import worker_place
from kit.orchestration.warm import warm_up
key = worker_place.key()
warm_up()
modules = set(sys.modules)
opened = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
reader, writer = os.pipe()
if not os.fork():
    from kit.build.build import build
    from kit.core.config import Config
    from kit.mesh.mesh import Mesh
    config = Config.load()
    outcome = build(config, Mesh.load(config.domains).product("shop"))
    more = sorted(set(sys.modules) - modules)
    os.write(writer, json.dumps([outcome.status, outcome.message, worker_place.key() == key, more]).encode())
    os._exit(0)
os.close(writer)
print(json.dumps([opened, *json.loads(open(reader).read())]))
"""


@pytest.mark.slow
def test_a_build_in_a_forked_process_imports_nothing_large(small: SmallMesh) -> None:
    opened, status, message, same_worker, more = json.loads(python(REPORT, small.root))
    assert (status, message) == ("published", "")
    assert same_worker
    large = (
        "dagster.",
        "dbt.",
        "great_expectations.",
        "kit.",
        "polars.",
        "scipy.",
        "sqlglot.",
        "pandas.",
        "pyiceberg.",
        "upath.",
    )
    assert [name for name in more if name.startswith(large) and not name.endswith("__about__")] == []
    assert [path for path in opened if path.endswith((".duckdb", ".db", ".parquet")) or str(small.root) in path] == []
