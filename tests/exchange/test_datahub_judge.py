"""The metadata file as DataHub's own command reads it: `datahub check metadata-file` of `acryl-datahub`."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kit.core.files import to_json
from kit.exchange.datahub import datahub_records
from tests.conftest import ROOT
from tests.support.edit import edited
from tests.support.limits import HANG
from tests.support.small_mesh import SmallMesh

JUDGE = ROOT / ".venv/datahub/bin/datahub"
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not JUDGE.exists(), reason="acryl-datahub is not in .venv/datahub; `make heavy` puts it there"),
]
URNS = "import json, sys; from datahub.metadata.urns import Urn; [Urn.from_string(u) for u in json.load(sys.stdin)]"


def check(records: list[dict[str, Any]], folder: Path) -> "subprocess.CompletedProcess[str]":
    file = folder / "metadata.json"
    file.write_text(to_json(records))
    environ = {**os.environ, "DATAHUB_TELEMETRY_ENABLED": "false", "HOME": str(folder)}
    command = [str(JUDGE), "check", "metadata-file", str(file)]
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=HANG, check=False)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    small = SmallMesh(tmp_path_factory.mktemp("mesh"))
    small.two_majors()
    small.mask("shop/contracts/sales.odcs.yaml", amount={"generalise": 100})
    small.replace("domains/shop/product.odps.yaml", '"status"', '"tags": ["retail"], "status"')
    for name in ("shop", "plan"):
        small.publish(name)
    return datahub_records(small.context)


def test_all_records_are_valid(records: list[dict[str, Any]], tmp_path: Path) -> None:
    done = check(records, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(records)} MCEs found - all valid" in done.stdout
    kinds = {item["aspectName"] for item in records}
    assert {"deprecation", "globalTags", "dataContractProperties", "datasetProfile", "assertionRunEvent"} <= kinds
    urns = json.dumps(sorted({item["entityUrn"] for item in records}))
    subprocess.run([JUDGE.with_name("python"), "-c", URNS], input=urns, text=True, timeout=HANG, check=True)


@pytest.mark.parametrize(
    ("aspect", "path", "value"),
    [
        ("ownership", "owners 0 type", "OWNER"),
        ("schemaMetadata", "fields 0 nullable", "no"),
        ("upstreamLineage", "upstreams 0 type", "MADE_FROM"),
        ("datasetProfile", "rowCount", "many"),
        ("assertionRunEvent", "status", "DONE"),
        ("dataContractProperties", "entity", None),
        ("dataProductProperties", "assets 0 destinationUrn", None),
    ],
)
def test_one_wrong_field_is_seen(records: list[dict[str, Any]], tmp_path: Path, aspect: str, path: str, value: Any) -> None:
    position = next(number for number, item in enumerate(records) if item["aspectName"] == aspect)
    wrong = edited(records[position], f"aspect json {path}", value)
    done = check([*records[:position], wrong, *records[position + 1 :]], tmp_path)
    assert done.returncode != 0
