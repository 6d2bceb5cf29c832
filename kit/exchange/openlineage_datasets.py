"""The datasets of a build in OpenLineage: sources, models and ports, with what contracts and a snapshot say of them."""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kit.contracts import Check, Contract, Rule
from kit.core import KitError
from kit.exchange.openlineage_facets import facets
from kit.exchange.profile import Profile, profile
from kit.lineage import column_lineage
from kit.mesh import RAW, Context, DataProduct
from kit.quality import audit_targets, rules
from kit.storage import Snapshot

Dataset = dict[str, Any]


class Datasets:
    """The tables that a product reads and makes, by the names that lineage has for them.

    With a snapshot they have versions, sizes, column lineage and profiles; without one only what contracts promise. A value
    of a hidden column is in none of them: of such a column there is no minimum and no maximum, and its checks have no bounds.
    """

    def __init__(self, context: Context, product: DataProduct, namespace: str, snapshot: Snapshot | None = None) -> None:
        self.context, self.product, self.namespace, self.snapshot = context, product, namespace, snapshot
        self.contracts = _contracts(context, product)
        self.owner = {f"{product.name}.": product.owner_contact}
        self.hidden = frozenset(column.name for contract in self.contracts.values() for column in contract.hidden_columns)
        self.versions = _versions(product, snapshot) if snapshot else {}
        self.origins = column_lineage(context, [product]) if snapshot else {}

    def read(self, table: str) -> Dataset:
        """Return a table as the input of a job."""
        contract = self.contracts.get(table)
        return self._dataset(table, facets(
            SchemaDatasetFacet=_schema(contract) if contract else None,
            DatasetVersionDatasetFacet=self._version(table),
        ))  # fmt: skip

    def checked(self, table: str, checks: Mapping[str, list[dict[str, Any]]]) -> Dataset:
        """Return a table as the input of the audit, with the results of its checks."""
        quality = facets(DataQualityAssertionsDatasetFacet={"assertions": checks[table]})
        return {**self.read(table), "inputFacets": quality}

    def made(self, table: str, columns: tuple[str, ...] = ()) -> Dataset:
        """Return a table as the output of a job."""
        contract, size = self.contracts.get(table), self._profile(table)
        fields = _schema(contract) if contract else {"fields": [{"name": name} for name in columns]} if columns else None
        is_file = contract is not None
        dataset = self._dataset(table, facets(
            SchemaDatasetFacet=fields,
            DocumentationDatasetFacet={"description": contract.description} if contract else None,
            OwnershipDatasetFacet={"owners": self._owners(contract)},
            DatasetVersionDatasetFacet=self._version(table),
            StorageDatasetFacet={"storageLayer": "file", "fileFormat": "parquet"} if is_file else {"storageLayer": "duckdb"},
            ColumnLineageDatasetFacet=self._column_lineage(table, contract),
            DataQualityMetricsDatasetFacet=_metrics(size) if size else None,
            TagsDatasetFacet=_tags(contract, self.product) if contract else None,
        ))  # fmt: skip
        if size:
            numbers = {"rowCount": size.rows, "size": size.bytes, "fileCount": size.files}
            dataset["outputFacets"] = facets(OutputStatisticsOutputDatasetFacet=numbers)
        return dataset

    def columns(self, table: str) -> tuple[str, ...]:
        """Return the columns of a model as its SQL makes them; none where they cannot be resolved."""
        prefix = f"{table}."
        return tuple(name.removeprefix(prefix) for name in self.origins if name.startswith(prefix))

    def assertions(self, checks: list[Check]) -> dict[str, list[dict[str, Any]]]:
        """Return the results of checks by table."""
        known: dict[tuple[str, str], Rule] = {}
        with suppress(KitError):  # a suite that cannot be read: the build reports it
            for target in (target for targets in audit_targets(self.product) for target in targets):
                known |= {(target.table, rule.name): rule for _, rule in rules(target, self.context.config.clock())}
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for check in checks:
            table = f"{self.product.name}.{check.table}" if not self._is_input(check.table) else check.table
            found[table].append(_assertion(check, known.get((check.table, check.rule)), self.hidden))
        return found

    def _is_input(self, table: str) -> bool:
        return any(table in (item.name, item.port) for item in self.product.inputs)

    def _dataset(self, table: str, described: dict[str, Any]) -> Dataset:
        return {"namespace": self.namespace, "name": table, **({"facets": described} if described else {})}

    def _version(self, table: str) -> dict[str, str] | None:
        return {"datasetVersion": self.versions[table]} if table in self.versions else None

    def _owners(self, contract: Contract | None) -> list[dict[str, str]]:
        team = [{"name": contract.team, "type": "TEAM"}] if contract and contract.team else []
        return [{"name": self.product.owner_contact, "type": "OWNER"}, *team]

    def _column_lineage(self, table: str, contract: Contract | None) -> dict[str, Any] | None:
        masked = {column.name for column in contract.masked_columns} if contract else set()
        fields = {}
        for name in self.columns(table):
            inputs = []
            for origin in self.origins[f"{table}.{name}"]:
                dataset, _, column = origin.rpartition(".")
                how = {"type": "DIRECT", "masking": name in masked}
                item = {"namespace": self.namespace, "name": dataset, "field": column, "transformations": [how]}
                inputs.append(item)
            if inputs:
                fields[name] = {"inputFields": inputs}
        return {"fields": fields} if fields else None

    def _profile(self, table: str) -> Profile | None:
        """The profile of a port or source; None for a model, whose rows a build does not keep."""
        name = table.removeprefix(f"{self.product.name}.")
        if self.snapshot is None:
            return None
        raw, _, source = name.rpartition(".")
        files: list[Path] = []
        if raw:
            digest = self.snapshot.manifest["sources"].get(source, {}).get("digest", "")
            files = [self.context.config.storage / RAW / self.product.name / source / f"{digest}.parquet"]
        elif name in self.snapshot.manifest["ports"]:
            files = self.snapshot.paths(name)
        import duckdb

        with suppress(OSError, duckdb.Error):  # pruned meanwhile
            return profile(files, self.hidden) if files else None
        return None


def _contracts(context: Context, product: DataProduct) -> dict[str, Contract]:
    """The contracts of all tables that have one, by the names of lineage."""
    contracts = {f"{product.name}.{RAW}.{source.name}": source.contract for source in product.sources}
    contracts |= {port.id: port.contract for port in product.ports}
    for item in product.inputs:
        with suppress(KitError):  # a broken provider
            contracts[item.port] = context.mesh.port(item.port).contract
    return contracts


def _versions(product: DataProduct, snapshot: Snapshot) -> dict[str, str]:
    manifest = snapshot.manifest
    versions = {f"{product.name}.{RAW}.{name}": str(source["digest"]) for name, source in manifest["sources"].items()}
    versions |= {port.id: snapshot.version for port in product.ports}
    return versions | {port: str(pin["version"]) for port, pin in manifest["inputs"].items()}


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


def _assertion(check: Check, rule: Rule | None, hidden: frozenset[str]) -> dict[str, Any]:
    """One check; the name of a rule about a hidden column may list its values, and is replaced by what it is about."""
    columns = rule.assertion.columns if rule else ()
    name, kind = check.rule, rule.assertion.expectation if rule else "custom"
    if check.origin == "dbt":  # `COLUMN: TEST {"values": …}`
        name = check.rule.partition(" {")[0]
        column, colon, test = name.partition(": ")
        columns, kind = ((column,), test) if colon else ((), "unit_test" if name.startswith("unit test ") else "custom_sql")
    private = not hidden.isdisjoint(columns) or (bool(hidden) and rule is not None and rule.assertion.query is not None)
    if private:
        name = f"{', '.join(columns)}: {kind}" if columns else kind
    return {
        "assertion": kind,
        "success": check.passed,
        "severity": "error" if check.severity == "error" else "warn",
        "name": name,
        **({"column": columns[0]} if len(columns) == 1 else {}),
        **({"description": check.note} if check.note and not private else {}),
        **({"actual": check.observed} if check.observed else {}),
    }
