"""`kit export datahub`: the mesh as a metadata file of DataHub, whose `file` source or `datahub put` takes it in."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from kit.contracts import Check, Contract
from kit.core import Secrets, read_text
from kit.dbt.project import Project
from kit.exchange import datahub_aspects as aspects
from kit.exchange.datahub_aspects import PLATFORM, dataset_urn, origin_urn, record, urn
from kit.exchange.tables import CheckResult, Tables
from kit.lineage import LineageNode, product_nodes
from kit.mesh import Context, DataProduct
from kit.storage import Snapshot, Store

Record = dict[str, Any]


def datahub_records(context: Context, env: str = "PROD") -> list[Record]:
    """Return the aspects of all entities of a mesh, in the form of `acryl-datahub` 1.7: an array of change proposals.

    Domains, data products, datasets (sources, models, ports) with schemas, owners, tags, lineage of tables and columns;
    of what is published also profiles, assertions with their results, and the contracts of ports. Entities that an entry
    names come before it, except for people and groups, which are those of the company. The same mesh gives the same
    records, so that importing them again changes nothing.
    """
    platform = {"name": "data-mesh", "displayName": "Data mesh", "type": "OTHERS", "datasetNameDelimiter": "."}
    records = [record(PLATFORM, "dataPlatformInfo", platform)]
    for product in context.mesh.products:
        records += _Product(context, product, env).records()
    distinct = {(item["entityUrn"], item["aspectName"]): item for item in records}
    found: list[Record] = Secrets.from_environment(context.config).scrubbed(list(distinct.values()))
    return found


class _Product:
    """One data product with all its tables."""

    def __init__(self, context: Context, product: DataProduct, env: str) -> None:
        self.config, self.product, self.env = context.config, product, env
        self.snapshot = Store(self.config.storage).current(product.name)
        self.tables = Tables(context, product, self.snapshot)
        self.at = self.snapshot.created_at if self.snapshot else datetime.fromtimestamp(0, UTC)
        self.nodes = product_nodes(product, Project.read(product.folder))
        self.domain = urn("domain", product.domain)
        self.ports = {port.id: port for port in product.ports}
        manifest = self.snapshot.manifest if self.snapshot else {"checks": []}
        self.results = self.tables.results(map(Check.from_json, manifest["checks"]))

    def records(self) -> Iterator[Record]:
        """Yield the records of the product."""
        product = self.product
        yield record(self.domain, "domainProperties", {"name": product.domain})
        yield from self._tags()
        for node in self.nodes:
            yield from self._dataset(node)
        yield from self._data_product()
        if self.snapshot:
            for port in product.ports:
                yield from self._contract(port.id, port.contract, self.snapshot)

    def _tags(self) -> Iterator[Record]:
        contracts = [self.tables.contracts[node.id] for node in self.nodes if node.id in self.tables.contracts]
        columns = [column for contract in contracts for column in contract.columns]
        names = [f"classification.{column.classification}" for column in columns if column.classification]
        names += [f"mask.{column.mask.kind}" for column in columns if column.mask]
        for name in dict.fromkeys([*self.product.tags, *(tag for contract in contracts for tag in contract.tags), *names]):
            yield record(urn("tag", name), "tagProperties", {"name": name})

    def _data_product(self) -> Iterator[Record]:
        product = self.product
        assets = [
            {"destinationUrn": dataset_urn(node.id, self.env), "outputPort": node.id in self.ports} for node in self.nodes
        ]
        facts = {"version": str(product.version), **({"snapshot": self.snapshot.version} if self.snapshot else {})}
        properties = {
            "name": product.name, "description": product.description, "assets": assets, "customProperties": facts,
        }  # fmt: skip
        entity = urn("dataProduct", product.name)
        yield record(entity, "dataProductProperties", properties)
        yield record(entity, "ownership", aspects.ownership(product.owner_contact, "", self.at))
        yield record(entity, "domains", {"domains": [self.domain]})
        if product.tags:
            yield record(entity, "globalTags", aspects.tags(product.tags))

    def _dataset(self, node: LineageNode) -> Iterator[Record]:
        dataset, contract = dataset_urn(node.id, self.env), self.tables.contracts.get(node.id)
        facts = {"kind": node.kind, "product": self.product.name}
        if version := self.tables.versions.get(node.id):
            facts["version"] = version
        if contract:
            facts |= {"contract": contract.id, "contract_version": str(contract.version)}
            facts |= {} if contract.is_offered else {"contract_status": contract.status}
        yield record(dataset, "datasetProperties", {
            "name": node.id, "qualifiedName": node.id, "description": node.description, "customProperties": facts, "tags": [],
        })  # fmt: skip
        yield record(dataset, "status", {"removed": False})
        yield record(dataset, "subTypes", {"typeNames": [{"source": "Source", "model": "Model"}.get(node.kind, "Table")]})
        yield record(dataset, "domains", {"domains": [self.domain]})
        owner = aspects.ownership(self.product.owner_contact, contract.team if contract else "", self.at)
        yield record(dataset, "ownership", owner)
        columns = self.tables.columns(node.id)
        if contract:
            yield record(dataset, "schemaMetadata", aspects.schema(node.id, contract.columns, contract.key, self.at))
            if contract.tags or self.product.tags:
                names = dict.fromkeys((*self.product.tags, *contract.tags))
                yield record(dataset, "globalTags", aspects.tags(names))
            if contract.end_of_life:
                end = datetime.combine(contract.end_of_life, datetime.min.time(), UTC)
                yield record(dataset, "deprecation", {
                    "deprecated": True, "decommissionTime": aspects.millis(end), "actor": aspects.ACTOR,
                    "note": f"last day {contract.end_of_life}; read {self.product.name}.{contract.major_of or node.table}",
                })  # fmt: skip
        elif columns:
            yield record(dataset, "schemaMetadata", aspects.inferred_schema(node.id, columns, self.at))
        reads = [dataset_urn(table, self.env) for table in node.reads]
        columns_of = {
            name: [(dataset_urn(table, self.env), column) for table, column in found]
            for name, found in self.tables.origins_of(node.id).items()
        }
        for origin in self.tables.outside(node.id):
            outside = origin_urn(origin, self.env)
            yield record(outside, "status", {"removed": False})
            reads.append(outside)
        for name, (origin, column) in self.tables.outside_columns(node.id).items():
            columns_of[name] = [(origin_urn(origin, self.env), column)]
        if reads:
            yield record(dataset, "upstreamLineage", aspects.lineage(dataset, reads, columns_of, self.at))
        if size := self.tables.profile(node.id):
            yield record(dataset, "datasetProfile", aspects.profile(size, self.at))

    def _contract(self, table: str, contract: Contract, snapshot: Snapshot) -> Iterator[Record]:
        """Yield the assertions of a port with their results, and the contract that consists of them."""
        dataset = dataset_urn(table, self.env)
        checks = [(self._assertion_urn(table, number, result), result) for number, result in enumerate(self._results(table))]
        for entity, result in checks:
            yield from self._assertion(entity, dataset, _custom(dataset, result), result.description or result.name)
            yield record(entity, "assertionRunEvent", _outcome(entity, dataset, result, snapshot))
        shape = urn("assertion", _digest(table, "schema"))
        promised = aspects.schema(table, contract.columns, contract.key, self.at)
        schema = {"entity": dataset, "schema": promised, "compatibility": "EXACT_MATCH"}
        yield from self._assertion(shape, dataset, {"type": "DATA_SCHEMA", "schemaAssertion": schema}, "columns and types")
        properties: dict[str, Any] = {
            "entity": dataset,
            "schema": [{"assertion": shape}],
            "dataQuality": [{"assertion": entity} for entity, _ in checks],
        }
        # A rule of a hidden column may list its values: such a contract stays where it is.
        if not self.tables.hidden:
            properties["rawContract"] = read_text(contract.path)
        if hours := aspects.hours(contract):
            fresh = urn("assertion", _digest(table, "freshness"))
            schedule = {"type": "FIXED_INTERVAL", "fixedInterval": {"unit": "HOUR", "multiple": hours}}
            freshness = {"type": "DATASET_CHANGE", "entity": dataset, "schedule": schedule}
            info = {"type": "FRESHNESS", "freshnessAssertion": freshness}
            yield from self._assertion(fresh, dataset, info, f"published at least every {hours} hours")
            properties["freshness"] = [{"assertion": fresh}]
        entity = urn("dataContract", _digest(table, "contract"))
        yield record(entity, "dataContractProperties", properties)
        yield record(entity, "dataContractStatus", {"state": "ACTIVE"})

    def _results(self, table: str) -> Sequence[CheckResult]:
        return [result for result in self.results if result.table == table]

    def _assertion_urn(self, table: str, number: int, result: CheckResult) -> str:
        twice = [other for other in self._results(table)[:number] if other.name == result.name]
        return urn("assertion", _digest(table, result.name, str(len(twice))))

    def _assertion(self, entity: str, dataset: str, info: dict[str, Any], description: str) -> Iterator[Record]:
        known = {"source": {"type": "EXTERNAL", "created": aspects.stamp(self.at)}, "lastUpdated": aspects.stamp(self.at)}
        yield record(entity, "assertionInfo", {**info, "entityUrn": dataset, "description": description, **known})
        yield record(entity, "dataPlatformInstance", {"platform": PLATFORM})


def _custom(dataset: str, result: CheckResult) -> dict[str, Any]:
    """A check as an assertion; DataHub keeps its kind and its text, and does not run it."""
    fields = [aspects.field_urn(dataset, column) for column in result.columns]
    return {
        "type": "CUSTOM",
        "customAssertion": {
            "type": result.kind,
            "entity": dataset,
            "scope": "DATASET_COLUMN" if fields else "DATASET_ROWS",
            **({"fields": fields} if fields else {}),
            **({"field": fields[0]} if len(fields) == 1 else {}),
            "logic": result.name,
        },
    }


def _outcome(entity: str, dataset: str, result: CheckResult, snapshot: Snapshot) -> dict[str, Any]:
    failing = {"unexpectedCount": result.failing_rows} if result.failing_rows is not None else {}
    observed = {"nativeResults": {"observed": result.observed}} if result.observed else {}
    return {
        "timestampMillis": aspects.millis(snapshot.created_at),
        "runId": str(snapshot.manifest["run_id"]),
        "assertionUrn": entity,
        "asserteeUrn": dataset,
        "status": "COMPLETE",
        "result": {"type": "SUCCESS" if result.passed else "FAILURE", **failing, **observed},
        "partitionSpec": {"type": "FULL_TABLE", "partition": "FULL_TABLE_SNAPSHOT"},
    }


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
