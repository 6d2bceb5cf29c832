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
result = open(reader).read()
reader, writer = os.pipe()
if not os.fork():
    from kit.build.build import build
    from kit.core.config import Config
    from kit.mesh.mesh import Mesh
    from mashumaro.core.meta.code.builder import CodeBuilder
    from dbt.parser.manifest import ManifestLoader
    compiled, while_read = [], []
    read = ManifestLoader.read_manifest_for_partial_parse
    def read_and_note(self):
        before = len(compiled)
        manifest = read(self)
        while_read.extend([manifest is not None, *compiled[before:]])
        return manifest
    ManifestLoader.read_manifest_for_partial_parse = read_and_note
    for name in ("add_unpack_method", "add_pack_method"):
        def method(self, *values, original=getattr(CodeBuilder, name), **options):
            compiled.append(self.cls.__name__)
            return original(self, *values, **options)
        setattr(CodeBuilder, name, method)
    config = Config.load()
    model = config.domains / "shop/models/marts/totals.sql"
    model.write_text(model.read_text() + "-- edit\\n")
    outcome = build(config, Mesh.load(config.domains).product("shop"))
    os.write(writer, json.dumps([outcome.status, outcome.message, while_read]).encode())
    os._exit(0)
os.close(writer)
print(json.dumps([opened, *json.loads(result), json.loads(open(reader).read())]))
"""


@pytest.mark.slow
def test_a_build_in_a_forked_process_imports_nothing_large_and_reads_what_dbt_parsed_at_once(small: SmallMesh) -> None:
    opened, status, message, same_worker, more, edited = json.loads(python(REPORT, small.root))
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
    assert edited == ["published", "", [True]]  # and dbt compiled nothing to read what it had parsed
