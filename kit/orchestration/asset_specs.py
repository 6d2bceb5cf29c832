"""The assets of one data product as Dagster shows them: owners, columns, inputs, conditions."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg

from kit.build import ExpectedCheck, data_code, expected_checks
from kit.contracts import NOT_OFFERED, Contract
from kit.dbt.project import Project
from kit.lineage import LineageNode, product_nodes, source_kinds
from kit.mesh import Context, DataProduct
from kit.orchestration import automation
from kit.orchestration.dagster_internals import is_valid_email

_KINDS = {
    "model": {"dbt", "duckdb"},
    "port": {"dbt", "duckdb", "port"},
    "notebook": {"jupyter", "papermill", "port"},
}


def asset_key(node: str) -> dg.AssetKey:
    """Return the asset of a node of the lineage: `orders.raw.transactions` is `orders/raw/transactions`."""
    return dg.AssetKey(node.split("."))


@dataclass(frozen=True)
class ProductFacts:
    """What the files of a product say of it: its tables, the checks of a build, the digest of its code, kinds of sources."""

    nodes: tuple[LineageNode, ...]
    checks: tuple[ExpectedCheck, ...]
    code: str
    source_kinds: dict[str, str]

    @classmethod
    def of(cls, context: Context, product: DataProduct) -> "ProductFacts":
        """Return the facts of a product, which are remembered until a file of it changes; raises `InvalidFile`."""

        def read() -> ProductFacts:
            project = Project.read(product.folder)
            checks = expected_checks(product, project, context.config.clock())
            return cls(
                product_nodes(product, project), checks, data_code(context.config, product), source_kinds(product.folder)
            )

        others = [
            (item.name, item.port) for item in (*product.inputs, *(read for port in product.ports for read in port.reads))
        ]
        needs = [port.needs for port in product.ports if port.needs]
        return context.mesh.contents.remembered("assets", product.folder, read, repr(others), repr(needs))


class AssetSpecs:
    """The definitions of the assets of one product."""

    def __init__(self, context: Context, product: DataProduct, facts: ProductFacts) -> None:
        mesh = context.mesh
        self.product = product
        self.code_version = facts.code[:12]
        self.source_kinds = facts.source_kinds
        self.partitions = automation.partitions(context.config, product)
        self.providers = {other.name: other.partitions for other in mesh.products if other is not product and other.partitions}
        self.stubs = tuple(asset_key(item.port) for item in product.inputs if item.product in (b.name for b in mesh.broken))

    def spec(self, node: LineageNode) -> dg.AssetSpec:
        """Return the definition of one asset."""
        product = self.product
        port = product.port(node.table)
        contract = port.contract if port else _source_contract(product, node)
        metadata: dict[str, Any] = {"domain": product.domain, "folder": f"domains/{product.name}"}
        if contract:
            metadata |= {"dagster/column_schema": _columns(contract), "contract": f"{contract.id} {contract.version}"}
            metadata |= {"last day": str(contract.end_of_life)} if contract.end_of_life else {}
            metadata |= {} if contract.is_offered else {"status": f"{contract.status}, {NOT_OFFERED[contract.status]}"}
        frequency = port.contract.sla.frequency if port else None
        return dg.AssetSpec(
            asset_key(node.id),
            deps=[self.dep(name) for name in node.reads],
            description=node.description or None,
            group_name=product.name,
            owners=[_owner(product)],
            kinds=self.kinds(node),
            tags={**{_tag(tag): "" for tag in product.tags}, "kit/domain": _tag(product.domain)},
            code_version=self.code_version,
            metadata=metadata,
            partitions_def=self.partitions,
            # A product with a schedule is not built by conditions as well.
            automation_condition=None if product.schedule else self.condition(frequency),
            freshness_policy=automation.freshness(frequency),
        )

    def kinds(self, node: LineageNode) -> set[str]:
        """Return the kinds of an asset; raw data has that of its connector."""
        if node.kind != "source":
            return _KINDS[node.kind]
        return {"source", self.source_kinds.get(node.table.partition(".")[2], "parquet")}

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
