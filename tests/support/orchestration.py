"""Definitions of a mesh in Dagster, with builds that do not happen."""

import json
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange

from kit.build.build import Outcome
from kit.build.plan import BuildRequest
from kit.contracts.check import Check
from kit.mesh.product import DataProduct
from kit.orchestration.asset_specs import asset_key
from kit.orchestration.definitions import definitions
from kit.storage.runs import BuildStatus
from kit.storage.snapshot import Snapshot
from tests.support.small_mesh import SmallMesh


def keys(*names: str) -> list[dg.AssetKey]:
    return [asset_key(name) for name in names]


class Clock:
    """Ticks of the automation sensor over one instance."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.defs, self.instance, self.cursor = defs, instance, None

    def tick(self) -> set[str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)  # of a parameter that Dagster itself gives
            done = dg.evaluate_automation_conditions(self.defs, instance=self.instance, cursor=self.cursor)
        self.cursor = done.cursor
        return {key.to_user_string() for key in self.defs.resolve_all_asset_keys() if done.get_num_requested(key)}

    def requested(self, name: str) -> list[str]:
        """The partitions of an asset that a tick asks for."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            done = dg.evaluate_automation_conditions(self.defs, instance=self.instance, cursor=self.cursor)
        self.cursor = done.cursor
        return sorted(map(str, done.get_requested_partitions(asset_key(name))))

    def made(self, name: str, content: str, partition: str | None = None) -> None:
        tags = {"dagster/data_version": content}
        self.instance.report_runless_asset_event(dg.AssetMaterialization(asset_key(name), tags=tags, partition=partition))

    def freshness(self, name: str, before: FreshnessState, now: FreshnessState) -> None:
        change = FreshnessStateChange(
            key=asset_key(name), previous_state=before, new_state=now, state_change_timestamp=datetime.now(UTC).timestamp()
        )
        self.instance._report_runless_asset_event(asset_event=change)


SHOP = {"shop/raw/sales", "shop/sales", "shop/totals"}


def declare(small: SmallMesh, product: str, name: str, value: object) -> None:
    path = small.domains / product / "product.odps.yaml"
    data = json.loads(path.read_text())
    data.setdefault("customProperties", []).append({"property": name, "value": value})
    path.write_text(json.dumps(data))


def published(product: DataProduct, *checks: Check, status: BuildStatus = BuildStatus.PUBLISHED) -> Outcome:
    """The outcome of a build that did not happen."""
    ports = {
        port.name: {"rows": 7, "newest": None, "contract_version": "1.0.0", "files": {"data.parquet": "ab" * 32}, "checks": {}}
        for port in product.ports
    }
    sources = {source.name: {"digest": "cd" * 20, "rows": 30} for source in product.sources}
    manifest = {"fingerprint": "ef" * 32, "ports": ports, "sources": sources, "checks": [c.to_json() for c in CHECKS]}
    snapshot = Snapshot(product.name, "v1", Path("there"), manifest)
    return Outcome(product.name, status, 1.0, snapshot, checks=checks, notebooks={"forecast": "elsewhere/forecast.ipynb"})


CHECKS = (
    Check("sales", "item is required", "contract", True),
    Check("totals", "totals add up: its query gives = 0", "contract", False, "warning", "1", 2, ({"item": "a|b"},)),
)


def run(small: SmallMesh, instance: dg.DagsterInstance, outcome: Any, *selected: str, **options: Any) -> Any:
    def builder(product: DataProduct, request: BuildRequest) -> Outcome:
        return outcome(product, request) if callable(outcome) else outcome

    job = definitions(small.context, builder).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(asset_selection=keys(*selected), instance=instance, raise_on_error=False, **options)
