"""The inputs that each partition of a snapshot was made from, and the partitions that are outdated."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kit.contracts import promised_version
from kit.core import Config, ContentCache, KitError, database
from kit.mesh import RAW
from kit.storage.snapshot import Snapshot
from kit.storage.store import Store

ABSENT = hashlib.sha256(b"").hexdigest()
"""The content of a partition without rows."""


@dataclass(frozen=True)
class PartitionInput:
    """An input (`PRODUCT.PORT` or `raw.SOURCE`) as one partition read it.

    `version` is the provider's snapshot, empty for a source. `content` is the digest of what was read: of the whole table or,
    with `column`, of the rows that have the partition's key there.
    """

    version: str
    content: str
    column: str = ""


@dataclass(frozen=True)
class PartitionRecord:
    """One partition of a snapshot: its fingerprint, the digest of code and parameters, its inputs, the code of each port.

    `code` is empty in snapshots of earlier kits, whose partitions count as made from the inputs of the snapshot.
    """

    fingerprint: str
    code: str = ""
    inputs: Mapping[str, PartitionInput] = field(default_factory=dict)
    ports: Mapping[str, str] = field(default_factory=dict)


def whole_content(entry: Mapping[str, Any]) -> str:
    """Return the digest of a whole port from its entry in a manifest or pin; the patch of its contract's version is no part."""
    text = json.dumps([promised_version(entry["contract_version"]), sorted(entry["files"].items())])
    return hashlib.sha256(text.encode()).hexdigest()


def partition_key(column: str, *, daily: bool) -> str:
    """Return the SQL expression for the key of a row's partition."""
    name = database.quoted(column)
    return f"try_cast({name} as date)::varchar" if daily else f"{name}::varchar"


def port_contents(config: Config, snapshot: Snapshot, port: str, column: str, *, daily: bool) -> Mapping[str, str]:
    """Return the content of each partition of a port of another product; raises `KitError` when the column is missing."""
    entry = snapshot.port(port)
    if snapshot.manifest.get("partition_column") == column:
        return {name.removesuffix(".parquet"): digest for name, digest in entry["files"].items()}
    paths = dict(zip(snapshot.files(port), (entry["files"][name] for name in sorted(entry["files"])), strict=True))
    return table_contents(config, f"{snapshot.product}.{port}", paths, column, daily=daily)


def table_contents(config: Config, table: str, files: Mapping[Path, str], column: str, *, daily: bool) -> Mapping[str, str]:
    """Return the content of each partition of Parquet files with digests; it is computed once for each content."""
    cache = ContentCache(config.cache / f"partitions-{table}")
    key = cache.key(column, str(daily), *files.values())
    text = cache.lookup(key)
    if text is None:
        text = json.dumps(_digests(table, files, column, daily))
        cache.put(key, text)
        cache.save()
    found: dict[str, str] = json.loads(text)
    return found


def _digests(table: str, files: Iterable[Path], column: str, daily: bool) -> dict[str, str]:
    with database.connect() as connection:
        database.add_views(connection, {"input": files})
        types = database.column_types(connection, "input")
        if column not in types:
            raise KitError(f"{table} has no column '{column}', by which a partition is to read it; it has: {', '.join(types)}")
        # Counted and summed, so that neither the order of rows nor a row that occurs twice is lost.
        row = ", ".join(map(database.quoted, types))
        query = f"select {partition_key(column, daily=daily)}, count(*), sum(hash({row})) from input group by all"
        found = connection.execute(query).fetchall()
    return {
        key: hashlib.sha256(json.dumps([types, count, str(total)]).encode()).hexdigest()
        for key, count, total in found
        if key is not None
    }


def read_partitions(manifest: Mapping[str, Any]) -> dict[str, PartitionRecord]:
    """Return the partitions of a snapshot; empty when it is not partitioned."""
    fingerprints: dict[str, str] = manifest.get("partitions", {})
    if not fingerprints:
        return {}
    records: dict[str, PartitionRecord] = {}
    for group in manifest.get("partition_inputs", ()):
        inputs = {name: PartitionInput(**item) for name, item in group["inputs"].items()}
        records |= {
            key: PartitionRecord(fingerprints[key], group["code"], inputs, group.get("ports", {})) for key in group["keys"]
        }
    if not fingerprints.keys() <= records.keys():
        inputs = {name: PartitionInput(pin["version"], whole_content(pin)) for name, pin in manifest["inputs"].items()}
        inputs |= {f"{RAW}.{name}": PartitionInput("", source["digest"]) for name, source in manifest["sources"].items()}
        records = {key: PartitionRecord(value, "", inputs) for key, value in fingerprints.items()} | records
    return records


def partitions_to_json(records: Mapping[str, PartitionRecord]) -> dict[str, Any]:
    """Return the entries of a manifest that `read_partitions` reads; partitions with equal inputs share an entry."""
    groups: dict[str, dict[str, Any]] = {}
    for key, record in records.items():
        entry: dict[str, Any] = {"code": record.code, "inputs": {name: asdict(item) for name, item in record.inputs.items()}}
        entry |= {"ports": record.ports} if record.ports else {}
        groups.setdefault(json.dumps(entry, sort_keys=True), {"keys": [], **entry})["keys"].append(key)
    fingerprints = {key: record.fingerprint for key, record in records.items()}
    return {"partitions": fingerprints, "partition_inputs": list(groups.values())}


def outdated_partitions(config: Config, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Return the partitions of a snapshot that were made from other inputs than there are now, each with these inputs.

    Ports count as published now, sources as landed for this snapshot. An input that cannot be read now counts as unchanged.
    """
    contents = _Contents(config, snapshot)
    changed = {
        key: tuple(name for name, item in record.inputs.items() if contents.differs(key, name, item))
        for key, record in read_partitions(snapshot.manifest).items()
    }
    return {key: names for key, names in sorted(changed.items()) if names}


def outdated_inputs(config: Config, snapshot: Snapshot) -> tuple[str, ...]:
    """Return the ports that a snapshot as a whole was made from and that have other contents now."""
    contents = _Contents(config, snapshot)
    pins = {name: PartitionInput(pin["version"], whole_content(pin)) for name, pin in snapshot.manifest["inputs"].items()}
    return tuple(name for name, pin in pins.items() if contents.differs("", name, pin))


class _Contents:
    """The present contents of the inputs of a snapshot, each computed at most once."""

    def __init__(self, config: Config, snapshot: Snapshot) -> None:
        self._config = config
        self._snapshot = snapshot
        self._daily = bool(snapshot.manifest.get("daily"))
        self._known: dict[tuple[str, str], Mapping[str, str] | str | None] = {}

    def differs(self, key: str, name: str, item: PartitionInput) -> bool:
        place = name, item.column
        if place not in self._known:
            self._known[place] = self._present(name, item)
        present = self._known[place]
        if isinstance(present, Mapping):
            present = present.get(key, ABSENT)
        return present is not None and present != item.content

    def _present(self, name: str, item: PartitionInput) -> Mapping[str, str] | str | None:
        """Return the content of a table, or of each of its partitions; None when it is unknown."""
        product, _, table = name.partition(".")
        if product == RAW:
            source: dict[str, Any] = self._snapshot.manifest["sources"].get(table, {})
            return source.get("partitions") if item.column else source.get("digest")
        try:
            provider = Store(self._config.storage).current(product)
            if provider is None or table not in provider.manifest["ports"]:
                return None
            if provider.version == item.version and not item.column:
                return item.content
            if not item.column:
                return whole_content(provider.port(table))
            return port_contents(self._config, provider, table, item.column, daily=self._daily)
        except (KitError, OSError):
            return None
