"""One data product in Dagster: the step that builds it, and what it reports of its assets."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import dagster as dg

from kit.build import BuildRequest, Outcome, published_checks
from kit.contracts import Check
from kit.core import KitError, ended_after_signal
from kit.mesh import Context, DataProduct
from kit.orchestration import run_config
from kit.orchestration.asset_checks import AssetChecks
from kit.orchestration.asset_specs import AssetSpecs, ProductFacts, asset_key
from kit.orchestration.column_deps import column_deps
from kit.orchestration.dagster_internals import leave_out_missing_checks
from kit.orchestration.instance import LOCATION, NOTEBOOK_PAGE, home
from kit.orchestration.run_watch import RunWatch
from kit.storage import NOTHING_TO_DO, Runs, Snapshot, outdated_partitions

PREFIX = "build_"
"""The prefix of the name of a product's step."""

Report = dg.MaterializeResult[Any] | dg.AssetMaterialization | dg.AssetCheckEvaluation
Builder = Callable[[DataProduct, BuildRequest], Outcome]
_RETRY_SECONDS = (30, 60, 120)
"""The waits before the retries of a failure that may pass. Not a retry policy of Dagster: that retries interrupts too."""

_waiting: dict[str, Callable[[], None]] = {}
"""The products of this process that wait for their next attempt, with the function that ends the wait."""


class ProductAssets:
    """One data product: the one step that builds it, and the many assets and checks that come out of it."""

    def __init__(self, context: Context, product: DataProduct, attended: bool, builder: Builder) -> None:
        self.context, self.config = context, context.config
        self.product = product
        self.attended = attended
        self.builder = builder
        facts = ProductFacts.of(context, product)
        self.nodes = {asset_key(node.id): node for node in facts.nodes}
        self.specs = AssetSpecs(context, product, facts)
        self.partitions = self.specs.partitions
        self.checks = AssetChecks(product, facts.checks, self.nodes)

    def assets(self) -> dg.AssetsDefinition:
        """Return the step with all its assets and checks."""
        product = self.product

        @dg.multi_asset(
            name=f"{PREFIX}{product.name}",
            description=f"Pin the inputs of {product.name}, build, audit and publish all its ports at once.",
            specs=[self.specs.spec(node) for node in self.nodes.values()],
            check_specs=self.checks.specs(),
            can_subset=True,
            pool=None if self.attended else product.name,
            config_schema=run_config.schema(product),
            # While the environments of its connectors are made, the others are built.
            op_tags={"dagster/priority": "-1"} if self.specs.source_kinds else {},
            backfill_policy=dg.BackfillPolicy.single_run() if self.partitions else None,
        )  # fmt: skip
        def step(context: dg.AssetExecutionContext) -> Iterator[Report]:
            if not context.selected_asset_keys:
                yield from self.judge(context)
                return
            if wait_over := _waiting.pop(self.product.name, None):
                wait_over()
            if context.instance.is_ephemeral:
                context.log.warning(
                    f"this run will be in no history, because DAGSTER_HOME is not set: set it to {home(self.config)}, where "
                    f"`kit dev` shows it, or run `kit run {product.name}`"
                )
            leave_out_missing_checks(context.log)
            step_config = context.op_execution_context.op_config
            keys = self.requested_partitions(context)
            run = RunWatch(context.instance, context.run.run_id)
            parameters, run_id = run_config.given(product, step_config), context.run.run_id
            request = BuildRequest(
                parameters, keys, step_config["force"], run.canceled,
                full_refresh=step_config.get("full_refresh", False), dagster_run=run_id,
            )  # fmt: skip
            with self.ended_after_signal(), run.interrupting(self.config):
                outcome = self.builder(product, request)
            yield from self.report(context, outcome, keys)
            if outcome.interrupted:
                raise KeyboardInterrupt

        return step

    def judge(self, context: dg.AssetExecutionContext) -> Iterator[Report]:
        """Yield the results of checks that were selected without their assets: those of the published snapshot."""
        try:
            checks = published_checks(self.config, self.product)
        except KitError as error:
            raise dg.Failure(str(error)) from None
        yield from self.checks.evaluations(checks, context.selected_asset_check_keys)

    def requested_partitions(self, context: dg.AssetExecutionContext) -> tuple[str, ...]:
        """Return the partitions of a run; raises `dagster.Failure` when none was selected, which a click should not build."""
        if not self.partitions:
            return ()
        if context.has_partition_key_range or context.has_partition_key:
            return tuple(context.partition_keys)
        if self.attended:
            return ()  # there are none: the build fails with the reason
        name = self.product.name
        raise dg.Failure(
            f"'{name}' is partitioned; select the partitions to build, or run `kit run {name}` for all that are due"
        )

    def ended_after_signal(self) -> AbstractContextManager[object]:
        """End a process of Dagster that does not notice an interrupt; the one of a person is left to its command."""
        return nullcontext() if self.attended else ended_after_signal()

    def report(self, context: dg.AssetExecutionContext, outcome: Outcome, partitions: tuple[str, ...]) -> Iterator[Report]:
        """Yield the materializations and check results of a build; raises `Failure` or `RetryRequested` when it failed."""
        from kit.orchestration.event_log import one_transaction  # SQLAlchemy takes as long as a code location without it

        checks: Iterable[Check] = outcome.checks
        if outcome.status in NOTHING_TO_DO and outcome.snapshot and context.selected_asset_check_keys:
            # The selected checks were made when this snapshot was built, and their results are still valid.
            checks = map(Check.from_json, outcome.snapshot.manifest["checks"])
        by_asset = self.metadata(outcome.snapshot, outcome.status, outcome.notebooks) if outcome.snapshot else {}
        with one_transaction(context.instance):
            yield from self.events(context, by_asset, checks, partitions)
        if outcome.failed:
            failure = dg.Failure(outcome.message, metadata=_notebooks(outcome.notebooks))
            attempt = context.op_execution_context.retry_number
            if self.attended or not outcome.may_pass or attempt >= len(_RETRY_SECONDS):
                raise failure
            seconds = _RETRY_SECONDS[attempt]
            context.log.warning(f"{self.product.name}: retried in {seconds} s because {outcome.may_pass}")
            _waiting[self.product.name] = Runs(self.config.storage).waiting(self.product.name)
            raise dg.RetryRequested(len(_RETRY_SECONDS), seconds) from failure
        context.log.info(f"{self.product.name}: {outcome.status} {outcome.version} {outcome.message}".rstrip())

    def events(
        self,
        context: dg.AssetExecutionContext,
        by_asset: Mapping[dg.AssetKey, dict[str, Any]],
        checks: Iterable[Check],
        partitions: tuple[str, ...],
    ) -> Iterator[Report]:
        """Yield the materialization of each asset with its metadata, and the results of checks."""
        for key, entries in by_asset.items():
            version, metadata = dg.DataVersion(str(entries["content"])), self.shown(key, entries)
            if key in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=key, metadata=metadata, data_version=version)
            else:
                # A product is published as a whole, whatever part of it was selected.
                tags = {"dagster/data_version": version.value}
                for partition in partitions or (None,):
                    yield dg.AssetMaterialization(key, metadata=metadata, tags=tags, partition=partition)
        yield from self.checks.evaluations(checks)

    def shown(self, key: dg.AssetKey, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Return the metadata of a materialization, without the digest of its content, with the lineage of its columns."""
        columns = {"dagster/column_lineage": self._columns[key]} if key in self._columns else {}
        return {name: value for name, value in metadata.items() if name != "content"} | columns

    @cached_property
    def _columns(self) -> Mapping[dg.AssetKey, dg.TableColumnLineage]:
        return column_deps(self.context, self.product)

    def in_manifest(self, key: dg.AssetKey) -> bool:
        """Return whether a manifest lists this asset, as it lists ports and sources."""
        return self.nodes[key].kind != "model"

    def metadata(
        self, snapshot: Snapshot, status: str, notebooks: Mapping[str, str] = MappingProxyType({})
    ) -> dict[dg.AssetKey, dict[str, Any]]:
        """Return the metadata of each asset of a snapshot; `content` differs when the data of the asset differs.

        `status` is that of the build, or the reason why the snapshot became current. Tables that are newer than the snapshot
        are left out.
        """
        result = {}
        outdated = ", ".join(outdated_partitions(self.config, snapshot)) or None
        for key, node in self.nodes.items():
            port = self.product.port(node.table)
            metadata: dict[str, Any] = {"snapshot": snapshot.version, "build": str(status)}
            if node.kind == "source":
                landed = snapshot.manifest["sources"].get(node.table.partition(".")[2])
                if landed is None:
                    continue
                metadata |= {"dagster/row_count": landed.get("rows"), "content": landed.get("digest")}
                metadata["rows set aside"] = landed.get("quarantined")
            elif port and port.name in snapshot.manifest["ports"]:
                entry = snapshot.port(port.name)
                metadata |= {
                    "dagster/row_count": entry["rows"],
                    "contract version": entry["contract_version"],
                    "rows of snapshot": entry.get("taken_over", {}).get("version"),
                    "newest data": entry["newest"],
                    "rows set aside": entry.get("quarantined"),
                    "outdated partitions": outdated,
                    "files": dg.MetadataValue.path(str(snapshot.folder / port.name)),
                    "content": hashlib.sha256("".join(entry["files"].values()).encode()).hexdigest()[:16],
                }
                executed = {name: path for name, path in notebooks.items() if name.partition(".")[0] == port.name}
                metadata |= _notebooks(executed)
            elif port:
                continue
            else:
                metadata["content"] = snapshot.fingerprint[:16]
            result[key] = {name: value for name, value in metadata.items() if value is not None}
        return result


def _notebooks(executed: Mapping[str, str]) -> dict[str, dg.MetadataValue[Any]]:
    """Return a link to each executed copy."""
    links: dict[str, dg.MetadataValue[Any]] = {}
    for name, path in executed.items():
        link = f"{NOTEBOOK_PAGE}?{urlencode({'path': path, 'repoLocName': LOCATION})}"
        links[f"executed notebook {name}"] = dg.MetadataValue.url(link)
    return links
