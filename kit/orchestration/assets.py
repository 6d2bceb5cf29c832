"""One data product in Dagster: the step that builds it, with its assets and checks."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import dagster as dg

from kit.build import BuildRequest, ExpectedCheck, Outcome, expected_checks, published_checks
from kit.contracts import Check, Contract
from kit.core import Config, KitError, ended_after_signal
from kit.dbt.project import Project
from kit.lineage import LineageNode, product_nodes
from kit.mesh import DataProduct, Mesh
from kit.orchestration import automation, run_config
from kit.orchestration.dagster_internals import is_valid_email
from kit.orchestration.instance import LOCATION, NOTEBOOK_PAGE
from kit.orchestration.run_watch import RunWatch
from kit.storage import NOTHING_TO_DO, Snapshot, outdated_partitions

PREFIX = "build_"
"""The prefix of the name of a product's step."""

Report = dg.MaterializeResult[Any] | dg.AssetMaterialization | dg.AssetCheckEvaluation
Builder = Callable[[DataProduct, BuildRequest], Outcome]
_KINDS = {
    "source": {"parquet", "source"},
    "model": {"dbt", "duckdb"},
    "port": {"dbt", "duckdb", "port"},
    "notebook": {"jupyter", "papermill", "port"},
}
_RETRY_SECONDS = (30, 60, 120)
"""The waits before the retries of a failure that may pass. Not a retry policy of Dagster: that retries interrupts too."""


def asset_key(node: str) -> dg.AssetKey:
    """Return the asset of a node of the lineage: `orders.raw.transactions` is `orders/raw/transactions`."""
    return dg.AssetKey(node.split("."))


class ProductAssets:
    """One data product: the one step that builds it, and the many assets and checks that come out of it."""

    def __init__(self, config: Config, mesh: Mesh, product: DataProduct, attended: bool, builder: Builder) -> None:
        self.config = config
        self.product = product
        self.attended = attended
        self.builder = builder
        project = Project.read(product.folder)
        self.nodes = {asset_key(node.id): node for node in product_nodes(product, project)}
        self.code_version = product.code_digest()[:12]
        self.partitions = automation.partitions(config, product)
        self.providers = {other.name: other.partitions for other in mesh.products if other is not product and other.partitions}
        self.checks = _checks(product, expected_checks(product, project, config.clock()), self.nodes)
        self.stubs = tuple(asset_key(item.port) for item in product.inputs if item.product in (b.name for b in mesh.broken))

    def assets(self) -> dg.AssetsDefinition:
        """Return the step with all its assets and checks."""
        product = self.product

        @dg.multi_asset(
            name=f"{PREFIX}{product.name}",
            description=f"Pin the inputs of {product.name}, build, audit and publish all its ports at once.",
            specs=[self.spec(node) for node in self.nodes.values()],
            check_specs=[_check_spec(*place, expected) for place, expected in self.checks.items()],
            can_subset=True,
            pool=None if self.attended else product.name,
            config_schema=run_config.schema(product),
            backfill_policy=dg.BackfillPolicy.single_run() if self.partitions else None,
        )  # fmt: skip
        def step(context: dg.AssetExecutionContext) -> Iterator[Report]:
            if not context.selected_asset_keys:
                yield from self.judge(context)
                return
            step_config = context.op_execution_context.op_config
            keys = self.requested_partitions(context)
            run = RunWatch(context.instance, context.run.run_id)
            request = BuildRequest(step_config.get("parameters", {}), keys, step_config["force"], run.canceled)
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
        yield from self.evaluations(checks, context.selected_asset_check_keys)

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

    def ended_after_signal(self) -> AbstractContextManager[None]:
        """End a process of Dagster that does not notice an interrupt; the one of a person is left to its command."""
        return nullcontext() if self.attended else ended_after_signal()

    def spec(self, node: LineageNode) -> dg.AssetSpec:
        """Return the definition of one asset."""
        product = self.product
        port = product.port(node.table)
        contract = port.contract if port else _source_contract(product, node)
        metadata: dict[str, Any] = {"domain": product.domain, "folder": f"domains/{product.name}"}
        if contract:
            metadata |= {"dagster/column_schema": _columns(contract), "contract": f"{contract.id} {contract.version}"}
            metadata |= {"deprecated until": str(contract.end_of_life)} if contract.end_of_life else {}
        frequency = port.contract.sla.frequency if port else None
        return dg.AssetSpec(
            asset_key(node.id),
            deps=[self.dep(name) for name in node.reads],
            description=node.description or None,
            group_name=product.name,
            owners=[_owner(product)],
            kinds=_KINDS[node.kind],
            tags={**{_tag(tag): "" for tag in product.tags}, "kit/domain": _tag(product.domain)},
            code_version=self.code_version,
            metadata=metadata,
            partitions_def=self.partitions,
            # A product with a schedule is not built by conditions as well.
            automation_condition=None if product.schedule else self.condition(frequency),
            freshness_policy=automation.freshness(frequency),
        )

    def dep(self, name: str) -> dg.AssetDep:
        """Return an input of an asset: a partition reads all of another product's partitions, or those that it declares."""
        declared, provider = self.product.partitions, self.providers.get(name.partition(".")[0])
        if declared is None or provider is None:
            return dg.AssetDep(asset_key(name))
        item = next((item.name for item in self.product.inputs if item.port == name), name)
        own = (declared.inputs.get(item), declared.start is None) == (provider.column, provider.start is None)
        return dg.AssetDep(asset_key(name), partition_mapping=None if own else dg.AllPartitionMapping())

    def condition(self, frequency: timedelta | None) -> dg.AutomationCondition[Any]:
        """Return the condition under which Dagster builds an asset of this product by itself."""
        declared = self.product.partitions
        return automation.condition(
            frequency, self.stubs, bool(declared and declared.start), declared.lookback if declared else None
        )

    def report(self, context: dg.AssetExecutionContext, outcome: Outcome, partitions: tuple[str, ...]) -> Iterator[Report]:
        """Yield the materializations and check results of a build; raises `Failure` or `RetryRequested` when it failed."""
        checks: Iterable[Check] = outcome.checks
        if outcome.status in NOTHING_TO_DO and outcome.snapshot and context.selected_asset_check_keys:
            # The selected checks were made when this snapshot was built, and their results are still valid.
            checks = map(Check.from_json, outcome.snapshot.manifest["checks"])
        by_asset = self.metadata(outcome.snapshot, outcome.status, outcome.notebooks) if outcome.snapshot else {}
        for key, metadata in by_asset.items():
            version = dg.DataVersion(str(metadata.pop("content")))
            if key in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=key, metadata=metadata, data_version=version)
            else:
                # A product is published as a whole, whatever part of it was selected.
                tags = {"dagster/data_version": version.value}
                for partition in partitions or (None,):
                    yield dg.AssetMaterialization(key, metadata=metadata, tags=tags, partition=partition)
        yield from self.evaluations(checks)
        if outcome.failed:
            failure = dg.Failure(outcome.message, metadata=_notebooks(outcome.notebooks))
            attempt = context.op_execution_context.retry_number
            if self.attended or not outcome.may_pass or attempt >= len(_RETRY_SECONDS):
                raise failure
            seconds = _RETRY_SECONDS[attempt]
            context.log.warning(f"{self.product.name}: retried in {seconds} s because {outcome.may_pass}")
            raise dg.RetryRequested(len(_RETRY_SECONDS), seconds) from failure
        context.log.info(f"{self.product.name}: {outcome.status} {outcome.version} {outcome.message}".rstrip())

    def in_manifest(self, key: dg.AssetKey) -> bool:
        """Return whether a manifest lists this asset, as it lists ports and sources."""
        return self.nodes[key].kind != "model"

    def evaluations(
        self, checks: Iterable[Check], selected: Set[dg.AssetCheckKey] = frozenset()
    ) -> Iterator[dg.AssetCheckEvaluation]:
        """Yield the results of checks, in Dagster's terms; of `selected` ones also those that were not made."""
        made = {(check.table, check.rule, check.origin): check for check in checks}
        for (key, name), expected in self.checks.items():
            check = made.get((expected.table, expected.rule, expected.origin))
            if selected and dg.AssetCheckKey(key, name) not in selected:
                continue
            if check:
                yield _evaluation(key, name, check)
            elif selected:
                text = "The published snapshot was built before this check existed; build the product to make it."
                severity = dg.AssetCheckSeverity.WARN
                yield dg.AssetCheckEvaluation(asset_key=key, check_name=name, passed=False, severity=severity, description=text)

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


def _checks(
    product: DataProduct, expected: Sequence[ExpectedCheck], own: Iterable[dg.AssetKey]
) -> dict[tuple[dg.AssetKey, str], ExpectedCheck]:
    """Return the expected checks by asset and by name in Dagster, where names consist of letters, digits and _."""
    result: dict[tuple[dg.AssetKey, str], ExpectedCheck] = {}
    keys = set(own)
    for check in expected:
        key = asset_key(f"{product.name}.{check.table}")
        if key not in keys:  # a dbt test of another product's port: it is shown at the first port of this product
            key = asset_key(product.ports[0].id)
        name = short = re.sub(r"[^a-z0-9]+", "_", check.rule.lower()).strip("_")[:100] or "check"
        number = 1
        while (key, name) in result:
            number += 1
            name = f"{short}_{number}"
        result[key, name] = check
    return result


def _check_spec(key: dg.AssetKey, name: str, expected: ExpectedCheck) -> dg.AssetCheckSpec:
    text = f"{expected.rule}\n\n{expected.description}" if expected.description else expected.rule
    return dg.AssetCheckSpec(name, asset=key, description=text, blocking=expected.severity == "error")


def _evaluation(key: dg.AssetKey, name: str, check: Check) -> dg.AssetCheckEvaluation:
    metadata: dict[str, Any] = {"rule": check.rule, "origin": check.origin}
    if check.observed:
        metadata["observed"] = check.observed
    if check.failing_rows is not None:
        metadata["failing rows"] = check.failing_rows
    if check.samples:
        columns = list(check.samples[0])
        lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
        lines += ["| " + " | ".join(str(row.get(name)).replace("|", "\\|") for name in columns) + " |" for row in check.samples]
        metadata["rows that break it"] = dg.MetadataValue.md("\n".join(lines))
    severity = dg.AssetCheckSeverity.WARN if check.severity == "warning" else dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=name,
        passed=check.passed,
        severity=severity,
        metadata=metadata,
        description=check.note or None,
    )


def _columns(contract: Contract) -> dg.TableSchema:
    columns = [
        dg.TableColumn(
            column.name, column.type, column.description,
            dg.TableColumnConstraints(nullable=not column.required, unique=contract.key == (column.name,)),
        )
        for column in contract.columns
    ]  # fmt: skip
    return dg.TableSchema(columns)


def _source_contract(product: DataProduct, node: LineageNode) -> Contract | None:
    return next((source.contract for source in product.sources if node.table == f"raw.{source.name}"), None)


def _owner(product: DataProduct) -> str:
    """Return the owner's e-mail address, or a team of that name where Dagster does not accept the address."""
    contact = product.owner_contact
    return contact if is_valid_email(contact) else f"team:{contact}"


def _tag(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-_.")[:63] or "unnamed"
