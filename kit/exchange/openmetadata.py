"""The mesh as requests to OpenMetadata 2.0, in an order in which each entity is there before another one names it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from kit.contracts import CLASSIFICATIONS, Check
from kit.core import Secrets, counted
from kit.dbt.project import Project
from kit.exchange.openmetadata_contract import CLASSIFICATION, column, odcs
from kit.exchange.tables import CheckResult, Tables
from kit.lineage import LineageNode, product_nodes
from kit.mesh import Context, DataProduct
from kit.storage import Store

DATABASE = "mesh"
_RULES = {"TABLE": "dataMeshTableRule", "COLUMN": "dataMeshColumnRule"}


@dataclass(frozen=True)
class Call:
    """One request: the path below the address of the interface, and its JSON value.

    `makes` is the full name of the entity that it creates or updates. A text `{NAME}` in the path, and as an `id`, is the id
    of the entity of that name, which the answer to an earlier request has.
    """

    method: str
    path: str
    value: dict[str, Any]
    makes: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the call as JSON values."""
        return {"method": self.method, "path": self.path, "value": self.value, **({"makes": self.makes} if self.makes else {})}


def openmetadata_calls(context: Context, service: str = "data-mesh") -> list[Call]:
    """Return the requests for all products of a mesh; repeating them changes nothing.

    Order: service, domains, classification, database, schemas, tables with profiles, test definitions, test cases with the
    results of the current snapshots, data products, contracts, lineage of tables and columns.
    """
    products = [_Product(context, product, service) for product in context.mesh.products]
    calls = [
        Call("PUT", "services/databaseServices", {
            "name": service, "serviceType": "CustomDatabase", "description": "Data products of a data mesh",
            "connection": {"config": {"type": "CustomDatabase"}},
        }, service),
    ]  # fmt: skip
    calls += {item.product.domain: item.domain() for item in reversed(products)}.values()
    described = {"name": CLASSIFICATION, "description": "Classification of columns by their contracts"}
    calls.append(Call("PUT", "classifications", described, CLASSIFICATION))
    calls += [
        Call("PUT", "tags", {"name": name, "description": f"{name} by contract", "classification": CLASSIFICATION})
        for name in CLASSIFICATIONS
    ]
    calls.append(Call("PUT", "databases", {"name": DATABASE, "service": service}, f"{service}.{DATABASE}"))
    calls += [item.schema() for item in products]
    calls += [call for item in products for call in item.table_calls()]
    calls += [
        Call("PUT", "dataQuality/testDefinitions", {
            "name": name, "description": f"A rule of a contract about a {kind.lower()}, measured by the kit",
            "entityType": kind, "testPlatforms": ["Other"],
        }, name)
        for kind, name in _RULES.items()
    ]  # fmt: skip
    for step in (_Product.test_calls, _Product.product_calls, _Product.contract_calls, _Product.lineage_calls):
        calls += [call for item in products for call in step(item)]
    secrets = Secrets.from_environment(context.config)
    return [Call(call.method, call.path, secrets.scrubbed(call.value), call.makes) for call in calls]


class _Product:
    """The requests of one data product."""

    def __init__(self, context: Context, product: DataProduct, service: str) -> None:
        self.product, self.service = product, service
        self.snapshot = Store(context.config.storage).current(product.name)
        self.tables = Tables(context, product, self.snapshot)
        self.nodes = product_nodes(product, Project.read(product.folder))
        created = self.snapshot.created_at if self.snapshot else datetime.fromtimestamp(0, UTC)
        self.at = int(created.timestamp() * 1000)

    def domain(self) -> Call:
        """Return the request for its domain."""
        kind = "Source-aligned" if self.product.sources else "Consumer-aligned"
        domain = self.product.domain
        value = {"name": domain, "domainType": kind, "description": f"Data products of {domain}"}
        return Call("PUT", "domains", value, domain)

    def schema(self) -> Call:
        """Return the request for the schema of its tables."""
        product, database = self.product, f"{self.service}.{DATABASE}"
        value = {
            "name": product.name, "database": database, "description": product.description, "domains": [product.domain],
        }  # fmt: skip
        return Call("PUT", "databaseSchemas", value, f"{database}.{product.name}")

    def table_calls(self) -> Iterator[Call]:
        """Yield the requests for its tables, each with its profile."""
        for node in self.nodes:
            name = self._full_name(node.id)
            yield Call("PUT", "tables", self._table(node), name)
            if size := self.tables.profile(node.id):
                columns = []
                for column_name, numbers in size.columns.items():
                    known = {"nullCount": numbers.nulls, "min": numbers.low, "max": numbers.high}
                    given = {key: value for key, value in known.items() if value is not None}
                    columns.append({"name": column_name, "timestamp": self.at, **given})
                table = {"timestamp": self.at, "rowCount": size.rows, "columnCount": len(columns), "sizeInByte": size.bytes}
                yield Call("PUT", f"tables/{{{name}}}/tableProfile", {"tableProfile": table, "columnProfile": columns})

    def test_calls(self) -> Iterator[Call]:
        """Yield the requests for its checks and their results."""
        manifest = self.snapshot.manifest if self.snapshot else {"checks": []}
        own = {node.id for node in self.nodes}
        seen: dict[str, int] = {}
        for result in self.tables.results(map(Check.from_json, manifest["checks"])):
            if result.table in own:
                key = f"{result.table} {result.name}"
                seen[key] = seen.get(key, 0) + 1
                digest = hashlib.sha256(f"{result.name} {seen[key]}".encode()).hexdigest()[:16]
                yield from self._test(result, f"rule_{digest}")

    def product_calls(self) -> Iterator[Call]:
        """Yield the request for the data product, with its tables."""
        product = self.product
        assets = [{"id": f"{{{self._full_name(node.id)}}}", "type": "table"} for node in self.nodes]
        value = {"name": product.name, "description": product.description, "domains": [product.domain], "assets": assets}
        yield Call("PUT", "dataProducts", value, product.name)

    def contract_calls(self) -> Iterator[Call]:
        """Yield the requests for the contracts of its ports."""
        for port in self.product.ports:
            path = f"dataContracts/odcs?entityId={{{self._full_name(port.id)}}}&entityType=table"
            yield Call("PUT", path, odcs(self.tables, self.product, port.contract))

    def lineage_calls(self) -> Iterator[Call]:
        """Yield the requests for the lineage of its tables and columns."""
        for node in self.nodes:
            origins = self.tables.origins_of(node.id)
            for read in node.reads:
                columns = [
                    {
                        "fromColumns": [f"{self._full_name(table)}.{name}" for table, name in ids if table == read],
                        "toColumn": f"{self._full_name(node.id)}.{target}",
                    }
                    for target, ids in origins.items()
                    if any(table == read for table, _ in ids)
                ]
                edge = {
                    "fromEntity": {"id": f"{{{self._full_name(read)}}}", "type": "table"},
                    "toEntity": {"id": f"{{{self._full_name(node.id)}}}", "type": "table"},
                    "lineageDetails": {"columnsLineage": columns, "source": "Manual"},
                }
                yield Call("PUT", "lineage", {"edge": edge})

    def _table(self, node: LineageNode) -> dict[str, Any]:
        contract = self.tables.contracts.get(node.id)
        value: dict[str, Any] = {
            "name": node.table,
            "displayName": node.id,
            "description": node.description,
            "tableType": "View" if node.kind == "model" else "Regular",
            "databaseSchema": f"{self.service}.{DATABASE}.{self.product.name}",
            "domains": [self.product.domain],
        }
        if contract is None:
            names = self.tables.columns(node.id)
            return {**value, "columns": [{"name": name, "dataType": "UNKNOWN"} for name in names]}
        key = contract.key
        value["columns"] = [column(item, number, key) for number, item in enumerate(contract.columns, start=1)]
        if len(key) > 1:
            value["tableConstraints"] = [{"constraintType": "PRIMARY_KEY", "columns": list(key)}]
        return value

    def _test(self, result: CheckResult, name: str) -> Iterator[Call]:
        table = self._full_name(result.table)
        single = len(result.columns) == 1 and result.columns[0] in self._columns(result.table)
        link = f"{table}::columns::{result.columns[0]}" if single else table
        yield Call("PUT", "dataQuality/testCases", {
            "name": name, "displayName": result.name, "description": result.description or result.name,
            "testDefinition": _RULES["COLUMN" if single else "TABLE"], "entityLink": f"<#E::table::{link}>",
            "parameterValues": [],
        }, full := f"{table}.{result.columns[0]}.{name}" if single else f"{table}.{name}")  # fmt: skip
        failed = {"failedRows": result.failing_rows} if result.failing_rows is not None else {}
        yield Call("POST", f"dataQuality/testCases/testCaseResults/{quote(full, safe='')}", {
            "timestamp": self.at, "testCaseStatus": "Success" if result.passed else "Failed",
            "result": result.observed or ("passed" if result.passed else "failed"), "testResultValue": [], **failed,
        })  # fmt: skip

    def _columns(self, table: str) -> set[str]:
        contract = self.tables.contracts.get(table)
        return {item.name for item in contract.columns} if contract else set(self.tables.columns(table))

    def _full_name(self, table: str) -> str:
        """The full name of a table, in which a name with a dot is quoted."""
        product, _, name = table.partition(".")
        return f"{self.service}.{DATABASE}.{product}." + (f'"{name}"' if "." in name else name)


def summary(calls: list[Call]) -> str:
    """Return what requests are about, as one line."""
    paths = [call.path for call in calls]
    tables, tests = paths.count("tables"), paths.count("dataQuality/testCases")
    products = paths.count("dataProducts")
    return f"{counted(products, 'product')}, {counted(tables, 'table')}, {counted(tests, 'test case')}"
