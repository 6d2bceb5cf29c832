"""The connector that cuts source code into functions."""

import importlib.util
import sys
from importlib.metadata import distribution, version
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import pytest

from kit.core import IngestError
from kit.dbt.project import Project
from kit.ingest import State
from kit.lineage import product_nodes
from kit.mesh import Mesh

CODE = '''
import functools

class Range:
    """A range."""

    @property
    def low(self):
        return 0

    @low.setter
    def low(self, value):
        pass

if True:
    async def wait():
        def inner():
            return 1
        return inner
else:
    @functools.cache
    @staticmethod
    def wait(): pass

try:
    pass
except ValueError:
    def late(): pass
'''


@pytest.fixture(scope="module")
def source_code() -> ModuleType:
    spec = importlib.util.spec_from_file_location("source_code", Path(__file__).parents[1] / "source_code.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["source_code"] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


def rows(connector: Any, state: Any = None) -> list[dict[str, Any]]:
    return [row for batch in connector.read(state) if not isinstance(batch, State) for row in batch]


def test_each_function_is_a_chunk_with_its_place_and_a_name_of_its_own(source_code: ModuleType) -> None:
    chunks = list(source_code.chunks_in(CODE, PurePosixPath("shop/ranges.py")))
    assert [(chunk["chunk_id"], chunk["first_line"], chunk["last_line"]) for chunk in chunks] == [
        ("shop.ranges:Range.low", 7, 9),
        ("shop.ranges:Range.low#2", 11, 13),
        ("shop.ranges:wait", 16, 19),
        ("shop.ranges:wait.<locals>.inner", 17, 18),
        ("shop.ranges:wait#2", 21, 23),
        ("shop.ranges:late", 28, 28),
    ]
    assert chunks[3]["text"] == "        def inner():\n            return 1\n"
    assert {chunk["path"] for chunk in chunks} == {"shop/ranges.py"}
    (chunk,) = source_code.chunks_in("def f(): pass", PurePosixPath("shop/__init__.py"))
    assert (chunk["module"], chunk["function"], chunk["text"]) == ("shop", "f", "def f(): pass")


def test_the_functions_of_a_package_are_read_once_for_each_installation(source_code: ModuleType) -> None:
    installed = {"toposort": version("toposort")}
    connector = source_code.SourceCode({"north": installed, "south": installed})
    found = rows(connector)
    ids = [row["chunk_id"] for row in found if row["installation"] == "north"]
    assert "toposort:toposort" in ids
    assert ids == [row["chunk_id"] for row in found if row["installation"] == "south"]
    lines = Path(str(distribution("toposort").locate_file("toposort.py"))).read_text().splitlines(keepends=True)
    for row in found:
        assert row["text"] == "".join(lines[row["first_line"] - 1 : row["last_line"]])
        assert set(row) == {column.name for column in connector.discover()[0].columns}


def test_nothing_is_read_again_until_a_version_changes(source_code: ModuleType) -> None:
    connector = source_code.SourceCode({"north": {"toposort": version("toposort")}})
    assert rows(connector, {"versions": connector.versions}) == []
    assert connector.digest() != source_code.SourceCode({"north": {"toposort": "0.1"}}).digest()


def test_another_version_or_a_missing_package_is_a_sentence(source_code: ModuleType) -> None:
    with pytest.raises(IngestError, match=r"^toposort is installed in version .+, not 0\.1$"):
        rows(source_code.SourceCode({"north": {"toposort": "0.1"}}))
    with pytest.raises(
        IngestError, match=r"^no-such-thing, which north runs, is not installed; run `pip install no-such-thing`$"
    ):
        source_code.installed_version("north", "no-such-thing")


def test_the_graph_leads_from_installations_over_issues_to_telemetry_and_code_and_to_what_a_model_gets() -> None:
    product = Mesh.load(Path(__file__).parents[2]).product("bugs")
    reads = {node.table: set(node.reads) for node in product_nodes(product, Project.read(product.folder))}
    assert reads["stg_installations"] == {"bugs.raw.installations"}
    assert reads["issues"] == {"bugs.stg_issues", "bugs.stg_installations"}
    assert reads["telemetry"] == {"bugs.stg_telemetry", "bugs.issues"}
    assert reads["source_chunks"] == {"bugs.raw.source_code", "bugs.issues"}
    assert reads["context"] == {"bugs.issues", "bugs.telemetry", "bugs.source_chunks"}
