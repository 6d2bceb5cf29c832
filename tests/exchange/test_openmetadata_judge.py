"""The requests as OpenMetadata's own models read them: those of `openmetadata-ingestion`, which forbid unknown fields."""

import json
import subprocess
from typing import Any
from uuid import UUID

import pytest

from kit.core import each_text
from kit.exchange.openlineage_spool import EventFile
from kit.exchange.openmetadata import openmetadata_calls
from kit.exchange.openmetadata_export import _ID
from tests.conftest import ROOT
from tests.support.edit import edited
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh

JUDGE = ROOT / ".venv/openmetadata/bin/python"
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        not JUDGE.exists(), reason="OpenMetadata's models are not in .venv/openmetadata; `make heavy` puts them there"
    ),
]
Request = tuple[str, Any]


def faults(requests: list[Request]) -> list[str]:
    command = [str(JUDGE), str(ROOT / "tests/support/openmetadata_models.py")]
    done = subprocess.run(command, input=json.dumps(requests), capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def with_ids(text: str) -> str:
    """A text with an id in place of each name of an entity, as the server has given it."""
    return _ID.sub(str(UUID(int=7)), text)


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> list[Request]:
    """Every request for a mesh with tags, two majors, a mask, and personal columns, then the events of its builds."""
    small = SmallMesh(tmp_path_factory.mktemp("mesh"))
    small.two_majors()
    small.personal_items()
    small.mask("shop/contracts/sales.odcs.yaml", amount={"generalise": 100})
    small.replace("domains/shop/product.odps.yaml", '"status"', '"tags": ["retail"], "status"')
    for name in ("shop", "plan"):
        small.publish(name)
    calls = openmetadata_calls(small.context)
    events = [event for file in EventFile.all(small.config) for event in file.read() if event["eventType"] == "COMPLETE"]
    return [(with_ids(call.path), each_text(call.value, with_ids)) for call in calls] + [
        ("openlineage/lineage", event) for event in events
    ]


def test_all_requests_are_valid(requests: list[Request]) -> None:
    assert len({path.partition("/")[0] for path, _ in requests}) == 12
    assert {path: fault for (path, _), fault in zip(requests, faults(requests), strict=True) if fault} == {}


WRONG: list[tuple[str, str, Any]] = [
    ("services/databaseServices", "serviceType", "DuckDB"),
    ("domains", "domainType", "Everything"),
    ("classifications", "descriptions", "wrong"),
    ("tags", "name", None),
    ("databases", "owner", "me"),
    ("databaseSchemas", "domain", "retail"),
    ("tables", "columns 0 dataType", "TEXTUAL"),
    ("tables", "columns 0 constraint", "MAYBE"),
    ("tableProfile", "tableProfile rowCount", "many"),
    ("dataQuality/testDefinitions", "entityType", "MESH"),
    ("dataQuality/testCases", "entityLink", "shop.sales"),
    ("testCaseResults", "testCaseStatus", "Passed"),
    ("dataProducts", "assets 0 id", "shop.sales"),
    ("dataContracts/odcs", "status", "alive"),
    ("dataContracts/odcs", "slaProperties 0 value", 48),
    ("lineage", "edge fromEntity id", "shop.sales"),
    ("openlineage/lineage", "eventTime", "yesterday"),
]


def test_each_wrong_field_is_seen(requests: list[Request]) -> None:
    changed = []
    for part, where, value in WRONG:
        path, right = next(item for item in requests if part in item[0])
        changed.append((path, edited(right, where, value)))
    seen = faults([*changed, ("tables/wrong", {})])
    assert [wrong for wrong, fault in zip([*WRONG, ()], seen, strict=True) if not fault] == []
