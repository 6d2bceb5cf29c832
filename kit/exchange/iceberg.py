"""Each port as an Apache Iceberg table over its published files: one commit a publication, no copy of data."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.build import Listener
from kit.contracts import Contract, DocumentReader
from kit.core import Config, Damaged, KitError, UnknownName, lock, write_durably
from kit.exchange.iceberg_schema import continues, evolve, iceberg_schema
from kit.storage import Snapshot, Store

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table, Transaction

FOLDER = "iceberg"
SNAPSHOT, CONTRACT = "data-mesh.snapshot", "data-mesh.contract-version"
"""The properties of an Iceberg snapshot that name the published snapshot and the version of its contract."""

_CATALOG, _HINT = "catalog.db", "version-hint.text"
_CAUGHT_UP = 20
"""So many snapshots at most are added to a table that has missed publications."""
_PROPERTIES = {
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",  # a reader may hold an older one
}


class IcebergTables(Listener):
    """Keeps the mesh's own Iceberg tables up to date where the setting `iceberg` asks for them."""

    def moved(self, config: Config, product: str) -> None:
        """Commit the current snapshot of a product to the tables of its ports."""
        if config.iceberg:
            with _own_catalog(config) as catalog:
                follow(catalog, config, product, _folder(config))

    def pruned(self, config: Config, product: str) -> None:
        """Forget the deleted snapshots of a product."""
        self.moved(config, product)


def export_iceberg(config: Config, products: list[str], name: str) -> Iterator[str]:
    """Commit the current snapshots of products to a catalog of PyIceberg's settings; yield the names of their tables.

    Raises `KitError` for a catalog that is not configured or does not answer.
    """
    _require()
    from pyiceberg.catalog import load_catalog

    try:
        catalog = load_catalog(name)
        catalog.list_namespaces()
    except Exception as error:
        raise KitError(
            f"the Iceberg catalog '{name}' cannot be opened: {_first_line(error)}; configure it in ~/.pyiceberg.yaml or by "
            f"PYICEBERG_CATALOG__{name.upper()}__URI"
        ) from None
    for product in products:
        try:
            yield from follow(catalog, config, product)
        except KitError:
            raise
        except Exception as error:
            raise KitError(
                f"'{product}' could not be committed to the Iceberg catalog '{name}': {_first_line(error)}"
            ) from None


def follow(catalog: "Catalog", config: Config, product: str, folder: Path | None = None) -> list[str]:
    """Commit to the tables of a product what was published since their last commit; return the tables' names.

    Snapshots that were deleted are deleted from the tables' history. With `folder` the tables lie below it, and those of
    ports that the product no longer has are dropped, all when it is not published any more; without it, at the place that the
    catalog chooses. Raises `KitError` for ports that cannot be Iceberg tables, after all others are up to date.
    """
    store = Store(config.storage)
    current = store.current(product)
    if current is None:
        if folder and catalog.namespace_exists(product):
            for name in catalog.list_tables(product):
                catalog.drop_table(name)
            catalog.drop_namespace(product)
        if folder:
            shutil.rmtree(folder / product, ignore_errors=True)
        return []
    catalog.create_namespace_if_not_exists(product)
    ports = [port for port, entry in current.manifest["ports"].items() if "quarantine_of" not in entry]
    problems = []
    follower = _Follower(catalog, store, _served(store, product), DocumentReader(config.cache, product))
    for port in ports:
        try:
            follower.follow(current, port, folder and folder / product / port)
        except KitError as error:
            problems.append(f"{product}.{port} is no Iceberg table: {error}")
    if folder:
        for _, port in catalog.list_tables(product):
            if port not in ports:
                catalog.drop_table((product, port))
                shutil.rmtree(folder / product / port, ignore_errors=True)
    if problems:
        raise KitError("; ".join(problems))
    return [f"{product}.{port}" for port in ports]


@dataclass(frozen=True)
class _Follower:
    """Commits the published snapshots of one product, of which readers may see the versions `served`.

    `documents` has read the contracts of the product before: those of a snapshot are the same files.
    """

    catalog: "Catalog"
    store: Store
    served: list[str]
    documents: DocumentReader

    def follow(self, current: Snapshot, port: str, folder: Path | None) -> None:
        """Commit what the table of a port has missed, and forget what is no longer served."""
        name, versions = (current.product, port), self.served
        table = _load(self.catalog, name, folder)
        committed = _committed(table) if table else []
        newest = max(committed, default="")
        missing = [version for version in versions if version > newest][-_CAUGHT_UP:]
        for version in missing:
            with ExitStack() as stack:
                if version != current.version:
                    stack.enter_context(suppress(Damaged, UnknownName))  # it is no history that anybody could read
                snapshot = current if version == current.version else self.store.snapshot(current.product, version)
                table = self._commit(table, snapshot, port, folder)
        if table is None or _committed(table)[-1] != current.version:  # after a rollback
            table = self._commit(table, current, port, folder)
        elif not missing:  # its texts may be newer
            self._describe(table, current, port)
            table = self.catalog.load_table(name)
        if gone := [item.snapshot_id for item in table.snapshots() if _version(item) not in versions]:
            table.maintenance.expire_snapshots().by_ids(gone).commit()
            table = self.catalog.load_table(name)
        if folder:
            _sweep(table, folder)
            write_durably(folder / "metadata" / _HINT, Path(table.metadata_location).name.removesuffix(".metadata.json"))

    def _commit(self, table: "Table | None", snapshot: Snapshot, port: str, folder: Path | None) -> "Table":
        """Replace all files of a table by those of a snapshot, in one commit; the table is made when there is none."""
        name, files = (snapshot.product, port), snapshot.files(port)
        schema = iceberg_schema(files[0], self._contract(snapshot, port))
        if table and not continues(list(table.schemas().values()), schema):
            self.catalog.drop_table(name)
            table = None
        replaced = [task.file for task in table.scan().plan_files()] if table else []
        properties = _PROPERTIES | _about(snapshot, port)
        transaction: Transaction
        if table is None:
            place = _uri(folder) if folder else None
            transaction = self.catalog.create_table_transaction(name, schema, place, properties=properties)
        else:
            transaction = table.transaction()
            _evolve(transaction, table, schema)
            transaction.set_properties(properties)
        mapping = transaction.table_metadata.name_mapping() or transaction.table_metadata.schema().name_mapping
        transaction.set_properties({"schema.name-mapping.default": mapping.model_dump_json()})
        about = {SNAPSHOT: snapshot.version, CONTRACT: snapshot.port(port)["contract_version"]}
        with transaction.update_snapshot(snapshot_properties=about).overwrite() as overwrite:
            for entry in replaced:
                overwrite.delete_data_file(entry)
            for file in files:
                overwrite.append_data_file(_data_file(transaction.table_metadata, file))
        transaction.commit_transaction()
        return self.catalog.load_table(name)

    def _describe(self, table: "Table", snapshot: Snapshot, port: str) -> None:
        """Commit the texts of a snapshot to a table that has its files, if they differ."""
        schema, about = iceberg_schema(snapshot.files(port)[0], self._contract(snapshot, port)), _about(snapshot, port)
        if str(table.schema()) != str(schema) or not about.items() <= table.properties.items():
            with table.transaction() as transaction:
                _evolve(transaction, table, schema)
                transaction.set_properties(about)

    def _contract(self, snapshot: Snapshot, port: str) -> Contract | None:
        """The contract of a port as it was published, with the descriptions of today; None in a snapshot of an earlier kit."""
        path = snapshot.contract(port)
        if path is None:
            return None
        contract = Contract.load(path, self.documents)
        texts = {column: text for column, _, text in snapshot.port(port)["about"]["columns"]}
        return replace(contract, columns=tuple(replace(item, description=texts[item.name]) for item in contract.columns))


def _served(store: Store, product: str) -> list[str]:
    """Return the versions that readers may see, oldest first."""
    return sorted(snapshot.version for snapshot in store.history(product) if not store.exposed(snapshot))


def _load(catalog: "Catalog", name: tuple[str, str], folder: Path | None) -> "Table | None":
    """The table of a port; None when there is none, or when it lies elsewhere, since the storage was moved or copied."""
    if name not in catalog.list_tables(name[0]):
        return None
    with suppress(FileNotFoundError) if folder else nullcontext():
        table = catalog.load_table(name)
        if folder is None or table.location() == _uri(folder):
            return table
    assert folder is not None
    catalog.drop_table(name)
    shutil.rmtree(folder, ignore_errors=True)
    return None


def _data_file(metadata: Any, path: Path) -> "DataFile":
    """The entry of a published file: its place, size and the statistics of its footer.

    PyIceberg's own function refuses required columns, since DuckDB marks no column of a Parquet file as required.
    """
    import pyarrow.parquet as pq
    from pyiceberg.io.pyarrow import (
        MetricModeTypes,
        MetricsMode,
        compute_statistics_plan,
        data_file_statistics_from_parquet_metadata,
        parquet_path_to_id_mapping,
    )
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat

    schema, footer = metadata.schema(), pq.read_metadata(path)
    plan, ids = compute_statistics_plan(schema, metadata.properties), parquet_path_to_id_mapping(schema)
    for column in map(footer.schema.column, range(len(footer.schema))):
        if column.logical_type.type == "JSON":  # its bounds are bytes, which PyIceberg cannot write as those of a text
            plan[ids[column.path]] = replace(plan[ids[column.path]], mode=MetricsMode(MetricModeTypes.COUNTS))
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=footer, stats_columns=plan, parquet_column_mapping=ids
    )
    return DataFile.from_args(
        content=DataFileContent.DATA, file_path=_uri(path), file_format=FileFormat.PARQUET,
        partition=statistics.partition(metadata.spec(), schema), file_size_in_bytes=path.stat().st_size, sort_order_id=None,
        spec_id=metadata.default_spec_id, equality_ids=None, key_metadata=None, **statistics.to_serialized_dict(),
    )  # fmt: skip


def _evolve(transaction: "Transaction", table: "Table", schema: "Schema") -> None:
    if str(table.schema()) != str(schema) or table.schema().identifier_field_names() != schema.identifier_field_names():
        evolve(transaction, schema)


def _about(snapshot: Snapshot, port: str) -> dict[str, str]:
    """The description of a port and the owner of its product; early snapshots contain none."""
    owner, facts = snapshot.manifest.get("about", {}).get("owner", ""), snapshot.port(port).get("about", {})
    return {"comment": facts.get("description", ""), "owner": owner}


def _committed(table: "Table") -> list[str]:
    """The published snapshots in the history of a table, in the order of their commits."""
    return [_version(item) for item in table.snapshots()]


def _version(snapshot: Any) -> str:
    return str(snapshot.summary.additional_properties.get(SNAPSHOT, "")) if snapshot.summary else ""


def _sweep(table: "Table", folder: Path) -> None:
    """Delete manifests that no snapshot in the history of a table names."""
    used = {Path(item.manifest_list).name for item in table.snapshots()}
    used |= {Path(file.manifest_path).name for item in table.snapshots() for file in item.manifests(table.io)}
    for path in (folder / "metadata").glob("*.avro"):
        if path.name not in used:
            path.unlink(missing_ok=True)


@contextmanager
def _own_catalog(config: Config) -> Iterator["Catalog"]:
    """The catalog of this mesh below its storage; one process at a time changes it."""
    _require()
    from pyiceberg.catalog.sql import SqlCatalog

    folder = _folder(config)
    with lock(folder / ".lock", wait=True):
        catalog = SqlCatalog("mesh", uri=f"sqlite:///{folder / _CATALOG}", warehouse=_uri(folder))
        try:
            yield catalog
        finally:
            catalog.close()


def _require() -> None:
    """Raise `KitError` where PyIceberg is not installed."""
    try:
        import pyiceberg.catalog.sql  # noqa: F401
    except ImportError:
        raise KitError(
            "Iceberg tables need PyIceberg: install it with `pip install 'data-mesh-kit[iceberg]'`, or take the setting "
            "`iceberg` out of pyproject.toml"
        ) from None


def _folder(config: Config) -> Path:
    return config.storage.resolve() / FOLDER


def _uri(path: Path) -> str:
    return f"file://{path}"


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
