"""The datasets of a build in OpenLineage: sources, models and ports, with what contracts and a snapshot say of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from kit.contracts import Check, Contract
from kit.exchange.openlineage_facets import facets
from kit.exchange.profile import Profile
from kit.exchange.tables import CheckResult, Tables
from kit.mesh import Context, DataProduct
from kit.storage import Snapshot

Dataset = dict[str, Any]


class Datasets:
    """The tables that a product reads and makes, as datasets by the names that lineage has for them.

    With a snapshot they have versions, sizes, column lineage and profiles; without one only what contracts promise.
    """

    def __init__(self, context: Context, product: DataProduct, namespace: str, snapshot: Snapshot | None = None) -> None:
        self.product, self.namespace = product, namespace
        self.tables = Tables(context, product, snapshot)

    def read(self, table: str) -> Dataset:
        """Return a table as the input of a job."""
        contract = self.tables.contracts.get(table)
        described = facets(
            SchemaDatasetFacet=_schema(contract) if contract else None,
            DatasetVersionDatasetFacet=self._version(table),
        )
        return self._dataset(table, described)

    def origins(self, table: str) -> list[Dataset]:
        """Return the datasets outside of the mesh that a source was read from."""
        return [
            {
                "namespace": origin.namespace,
                "name": origin.name,
                **({"facets": facets(SchemaDatasetFacet=_fields(origin.columns))} if origin.columns else {}),
            }
            for origin in self.tables.outside(table)
        ]

    def checked(self, checks: Iterable[Check]) -> list[Dataset]:
        """Return the tables that have checks as the inputs of the audit, with the results."""
        by_table: Mapping[str, list[Any]] = defaultdict(list)
        for result in self.tables.results(checks):
            by_table[result.table].append(_assertion(result))
        return [
            {**self.read(table), "inputFacets": facets(DataQualityAssertionsDatasetFacet={"assertions": assertions})}
            for table, assertions in by_table.items()
        ]

    def made(self, table: str) -> Dataset:
        """Return a table as the output of a job."""
        contract, size = self.tables.contracts.get(table), self.tables.profile(table)
        columns = [{"name": name} for name in self.tables.columns(table)]
        file = {"storageLayer": "file", "fileFormat": "parquet"}
        described = facets(
            SchemaDatasetFacet=_schema(contract) if contract else {"fields": columns} if columns else None,
            DocumentationDatasetFacet={"description": contract.description} if contract else None,
            OwnershipDatasetFacet={"owners": self._owners(contract)},
            DatasetVersionDatasetFacet=self._version(table),
            StorageDatasetFacet=file if contract else {"storageLayer": "duckdb"},
            ColumnLineageDatasetFacet=self._column_lineage(table, contract),
            DataQualityMetricsDatasetFacet=_metrics(size) if size else None,
            TagsDatasetFacet=_tags(contract, self.product) if contract else None,
        )
        dataset = self._dataset(table, described)
        if size:
            numbers = {"rowCount": size.rows, "size": size.bytes, "fileCount": size.files}
            dataset["outputFacets"] = facets(OutputStatisticsOutputDatasetFacet=numbers)
        return dataset

    def _dataset(self, table: str, described: dict[str, Any]) -> Dataset:
        return {"namespace": self.namespace, "name": table, **({"facets": described} if described else {})}

    def _version(self, table: str) -> dict[str, str] | None:
        version = self.tables.versions.get(table)
        return {"datasetVersion": version} if version else None

    def _owners(self, contract: Contract | None) -> list[dict[str, str]]:
        team = [{"name": contract.team, "type": "TEAM"}] if contract and contract.team else []
        return [{"name": self.product.owner_contact, "type": "OWNER"}, *team]

    def _column_lineage(self, table: str, contract: Contract | None) -> dict[str, Any] | None:
        masked = {column.name for column in contract.masked_columns} if contract else set()
        made_from = {
            name: [(self.namespace, origin, column) for origin, column in origins]
            for name, origins in self.tables.origins_of(table).items()
        }
        for name, (origin, column) in self.tables.outside_columns(table).items():
            made_from[name] = [(origin.namespace, origin.name, column)]
        fields = {}
        for name, found in made_from.items():
            how = {"type": "DIRECT", "masking": name in masked}
            fields[name] = {
                "inputFields": [
                    {"namespace": namespace, "name": dataset, "field": column, "transformations": [how]}
                    for namespace, dataset, column in found
                ]
            }
        return {"fields": fields} if fields else None


def _fields(types: Mapping[str, str]) -> dict[str, Any]:
    return {"fields": [{"name": name, **({"type": kind} if kind else {})} for name, kind in types.items()]}


def _schema(contract: Contract) -> dict[str, Any]:
    return {
        "fields": [
            {"name": column.name, "type": column.type, **({"description": column.description} if column.description else {})}
            for column in contract.columns
        ]
    }


def _tags(contract: Contract, product: DataProduct) -> dict[str, Any] | None:
    tags = [{"key": tag, "value": "true", "source": "contract"} for tag in dict.fromkeys((*product.tags, *contract.tags))]
    for column in contract.columns:
        given = {"classification": column.classification, "mask": column.mask and column.mask.kind}
        tags += [
            {"key": key, "value": value, "source": "contract", "field": column.name} for key, value in given.items() if value
        ]
    return {"tags": tags} if tags else None


def _metrics(size: Profile) -> dict[str, Any]:
    columns = {}
    for name, column in size.columns.items():
        numbers = {"nullCount": column.nulls, "min": column.low, "max": column.high}
        columns[name] = {key: value for key, value in numbers.items() if value is not None}
    return {"rowCount": size.rows, "bytes": size.bytes, "fileCount": size.files, "columnMetrics": columns}


def _assertion(result: CheckResult) -> dict[str, Any]:
    return {
        "assertion": result.kind,
        "success": result.passed,
        "severity": "error" if result.severity == "error" else "warn",
        "name": result.name,
        **({"column": result.columns[0]} if len(result.columns) == 1 else {}),
        **({"description": result.description} if result.description else {}),
        **({"actual": result.observed} if result.observed else {}),
    }
