"""Decides whether a product has to be built: its inputs are fixed, fingerprinted and compared with the current snapshot."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kit.build import masking
from kit.build.data_code import data_code, need_code
from kit.build.incremental import begun_anew, growing_models, histories
from kit.build.model_use import model_code
from kit.build.notebook_ports import Parameters, assign_parameters, with_partition
from kit.build.places import ingest_process
from kit.build.progress import Progress
from kit.build.reuse import Reuse, common_code, port_code, ports_to_build, reuse, reuse_of_partitions
from kit.build.safety import check_safety
from kit.build.table_code import TableCode, table_code
from kit.contracts import hides_less
from kit.core import Config, Damaged, InvalidFile, MaskError, UnknownName, counted
from kit.ingest import LandedSource, land
from kit.mesh import RAW, DataProduct, Partitions, in_lookback
from kit.storage import (
    ABSENT,
    FORMAT,
    BuildStatus,
    PartitionInput,
    PartitionRecord,
    Pin,
    Pointer,
    Snapshot,
    Store,
    check_unchanged,
    damaged_ports,
    pin_inputs,
    port_contents,
    published_masks,
    read_partitions,
    table_contents,
)


@dataclass(frozen=True)
class BuildRequest:
    """Parameters for notebooks, the partitions to build (all when empty), and whether to build even when nothing changed.

    `full_refresh` reads all rows of the sources again, also of those that deliver increments, and makes all rows of incremental
    models. `discard_history` begins the history of dbt snapshots anew. `wait` for another process that builds the product,
    instead of failing. `older_code` permits to replace a snapshot that newer code made. `canceled` returns
    whether the request was withdrawn meanwhile: then nothing is published. `dagster_run` is the id of the Dagster run that
    makes the build, empty without one.
    """

    parameters: Parameters = field(default_factory=dict)
    partitions: tuple[str, ...] = ()
    force: bool = False
    canceled: Callable[[], bool] = field(default=lambda: False, compare=False)
    wait: bool = False
    older_code: bool = False
    full_refresh: bool = False
    discard_history: bool = False
    dagster_run: str = field(default="", compare=False)


@dataclass(frozen=True)
class BuildInputs:
    """All data that goes into a build: pinned ports, landed sources, parameters by notebook port.

    `partitions` are the keys to build, in the order of the declaration; empty when the product is not partitioned.
    `mask_key` is the fingerprint of the key that masks values, None when no column needs it.
    """

    pins: Mapping[str, Pin]
    sources: Mapping[str, LandedSource]
    parameters: Mapping[str, Parameters]
    partitions: tuple[str, ...]
    mask_key: str | None


@dataclass(frozen=True)
class BuildPlan:
    """The decision whether to build, and all that determines the snapshot.

    `status` is `UP_TO_DATE` or `HELD` when there is nothing to do, None when the build is due. `code` is the digest of the
    domain folder without texts, `current` the snapshot that `pointer` names. `due` and `kept` are the partitions to build and
    those to carry over from the current snapshot, each with its fingerprint and inputs; both are empty when the product is not
    partitioned. `contents` has, for each input of which a partition reads its own rows, the content by partition. `ports` are
    the output ports that are built of each partition, None without partitions; all others are taken over, with `reuse`. The
    incremental models and snapshots `anew` do not begin with their published rows.
    """

    status: BuildStatus | None
    inputs: BuildInputs
    code: str
    fingerprint: str
    pointer: Pointer | None
    current: Snapshot | None
    due: Mapping[str, PartitionRecord]
    kept: Mapping[str, PartitionRecord]
    contents: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ports: Mapping[str | None, frozenset[str]] = field(default_factory=dict)
    reuse: Reuse = field(default_factory=Reuse)
    anew: frozenset[str] = frozenset()

    def taken_from(self, port: str, key: str | None) -> Path | None:
        """The folder of the snapshot from which a port, or one partition of it, is taken over; None when it is built."""
        return self.current.folder if self.current and port not in self.ports[key] else None

    @property
    def built(self) -> frozenset[str]:
        """The output ports whose files are not those of the current snapshot."""
        built = frozenset[str]().union(*self.ports.values())
        made = self.current.manifest.get("partitions", {}) if self.current else {}
        if self.due or self.kept:  # a partition may be gone
            return built if {*self.due, *self.kept} == made.keys() else built | self.reuse.origins.keys()
        return built

    @property
    def delivered(self) -> dict[str, str]:
        """The times when the data of each source was delivered."""
        return {name: source.delivered.isoformat() for name, source in self.inputs.sources.items()}


def gather_inputs(
    config: Config,
    product: DataProduct,
    request: BuildRequest,
    held: ExitStack,
    progress: Progress,
    sources: Mapping[str, LandedSource] | None = None,
) -> BuildInputs:
    """Check the request, pin the inputs and land the sources, unless `sources` were landed just now.

    The pinned snapshots are held against pruning until `held` is closed. Raises `KitError` when an input cannot be had:
    an unknown parameter or partition, a port without a snapshot, a source that cannot be read, a missing masking key, code that
    is not safe.
    """
    check_safety(config, product)
    secret = masking.key(config, product)
    parameters = assign_parameters(config, product, request.parameters)
    partitions = _partitions(config, product, request.partitions)
    pins = pin_inputs(Store(config.storage), product, held)
    for snapshot in {pin.snapshot.product: pin.snapshot for pin in pins.values()}.values():
        check_unchanged(config, snapshot)
    if (current := _usable(config, product, request)) and not request.force:
        check_unchanged(config, current)
    if sources is None or not all(source.path.exists() for source in sources.values()):
        sources = land_sources(config, product, progress, full_refresh=request.full_refresh)
    return BuildInputs(pins, sources, parameters, partitions, masking.fingerprint(secret) if secret else None)


def land_sources(
    config: Config, product: DataProduct, progress: Progress, *, full_refresh: bool = False
) -> dict[str, LandedSource]:
    """Land every source of a product below `<storage>/raw`; content that is there already is not written again.

    New rows of sources that deliver increments are merged into the raw data of the published snapshot, whatever was landed
    since and not published, or of one before it where that is damaged; with `full_refresh`, or without whole data, all rows are
    read.
    """
    if not product.sources:
        return {}
    process = ingest_process(config, product)
    process.rows = lambda source, rows: progress.step(f"{RAW}.{source}: {counted(rows, 'row')}")
    with progress.timed(product.name, "ingest") as set_result, process:
        landed = {}
        for source in product.sources:
            entries = () if full_refresh else published_entries(config, product, source.name)
            landed[source.name] = land(process, source, config.storage / RAW, entries)
        set_result(f"{counted(len(landed), 'source')}, {counted(sum(source.rows for source in landed.values()), 'row')}")
    return landed


def published_entries(config: Config, product: DataProduct, source: str) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of a source in the manifest of the current snapshot and of those before it, without damaged ones."""
    store, name = Store(config.storage), product.name
    with suppress(Damaged):
        if current := store.current(name):
            yield current.manifest["sources"].get(source, {})
            for version in (version for version in store.versions(name) if version < current.version):
                with suppress(Damaged, InvalidFile):
                    yield store.snapshot(name, version).manifest["sources"].get(source, {})


def plan(config: Config, product: DataProduct, request: BuildRequest, inputs: BuildInputs) -> BuildPlan:
    """Compare the inputs, code and contracts of a product with its current snapshot. Writes nothing but caches.

    Raises `Damaged` when the current snapshot is, unless the build is forced and makes all of it.
    """
    store = Store(config.storage)
    pointer = store.read_pointer(product.name)
    current = _usable(config, product, request)
    files = product.code_files()
    code = data_code(config, product, files)
    parts = _parts(inputs, code) | ({"models": asked} if (asked := model_code(config, product)) else {})
    due: dict[str, PartitionRecord] = {}
    kept: dict[str, PartitionRecord] = {}
    contents: dict[str, Mapping[str, str]] = {}
    if product.partitions:
        contents = _contents(config, product, product.partitions, inputs)
        made = read_partitions(current.manifest) if current else {}
        fresh = {key: _record(product, inputs, parts, contents, key) for key in inputs.partitions}
        due = {key: record for key, record in fresh.items() if _is_due(config, product, request, record, key, made.get(key))}
        known = product.partitions.all(config.clock())
        kept = {key: record for key, record in made.items() if key not in due and key in known}
        if kept and current and inputs.mask_key != current.manifest.get("mask_key", inputs.mask_key):
            raise MaskError(
                f"'{product.name}': the masking key is not that of the published partitions, whose tokens would no longer join "
                f"with those of {', '.join(due)}; build all of them with `kit run {product.name}`"
            )
        if kept and current and (shown := list(_shown(product, current))):
            raise MaskError(
                f"'{product.name}': the other partitions were published with {', '.join(shown)} in clear, which is masked now; "
                f"build all of them with `kit run {product.name}`"
            )
        fingerprints = {key: record.fingerprint for key, record in {**kept, **due}.items()}
        whole = {"partitions": fingerprints, "needs": _needs(product)}
        fingerprint = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
    else:
        fingerprint = _digest({**parts, "needs": _needs(product)}, inputs.parameters)
    status = None
    anew = begun_anew(product, full_refresh=request.full_refresh, discard_history=request.discard_history)
    if current and request.force:
        anew |= growing_models(product).keys() & damaged_ports(config, current)
    if current and pointer and not request.force and not anew:
        if current.fingerprint == fingerprint:
            status = BuildStatus.UP_TO_DATE
        elif fingerprint in pointer.rejected and not store.exposed(current):
            status = BuildStatus.HELD
    planned = BuildPlan(status, inputs, code, fingerprint, pointer, current, due, kept, contents, anew=anew)
    if status:
        return planned
    tables = table_code(config, product, files)
    tables = replace(tables, volatile=tables.volatile | anew)
    base = None if request.force else current
    return (
        _with_partitions(planned, product, tables, base) if product.partitions else _with_ports(planned, product, tables, base)
    )


def _with_ports(plan: BuildPlan, product: DataProduct, code: TableCode, base: Snapshot | None) -> BuildPlan:
    """The plan with the ports that are built; all others are taken over from the snapshot `base`."""
    taken = reuse(product, code, _fingerprints(plan.inputs, code), base)
    built = frozenset(port.name for port in product.ports) - taken.ports
    return replace(plan, ports={None: built}, reuse=taken)


def _with_partitions(plan: BuildPlan, product: DataProduct, code: TableCode, base: Snapshot | None) -> BuildPlan:
    """The plan with the ports that are built of each partition; one whose ports are all the same is kept."""
    made = read_partitions(base.manifest) if base else {}
    codes = port_code(product, code, plan.inputs.parameters, plan.inputs.mask_key)
    records = {key: replace(record, ports=codes) for key, record in plan.due.items()}
    ports: dict[str | None, frozenset[str]] = {
        key: ports_to_build(product, code, record, made.get(key)) for key, record in records.items()
    }
    due = {key: record for key, record in records.items() if ports[key]}
    kept = {**plan.kept, **{key: record for key, record in records.items() if not ports[key]}}
    taken = reuse_of_partitions(product, code, _fingerprints(plan.inputs, code), base)
    return replace(plan, due=due, kept=kept, ports={key: ports[key] for key in due}, reuse=taken)


def _fingerprints(inputs: BuildInputs, code: TableCode) -> dict[str, str]:
    """The fingerprints of all tables, over the data they are made from."""
    pins = {name: pin.content for name, pin in inputs.pins.items()}
    landed = {f"{RAW}.{name}": source.digest for name, source in inputs.sources.items()}
    return code.fingerprints({**inputs.parameters, **pins, **landed}, common_code(inputs.mask_key))


def _usable(config: Config, product: DataProduct, request: BuildRequest) -> Snapshot | None:
    """The current snapshot; None when it is damaged and this build replaces all of it. Raises `Damaged` for other builds.

    One with whole dbt snapshots, whose rows no build can make again, is still where their history goes on.
    """
    current = None
    try:
        if current := Store(config.storage).current(product.name):
            if request.force:
                check_unchanged(config, current)
            else:
                current.check(sums=False)
    except Damaged as error:
        if not request.force or request.partitions:
            raise
        kept = frozenset[str]() if request.discard_history else histories(product)
        if kept and (current is None or kept & damaged_ports(config, current)):
            raise Damaged(f"{error}, and `--discard-history`: the history of its dbt snapshots begins anew") from None
        return current if kept else None
    return current


def still_holds(plan: BuildPlan, config: Config, product: DataProduct, inputs: BuildInputs) -> bool:
    """Whether a plan made earlier is still the plan: same inputs and code, and the product's pointer has not moved."""
    pointer = Store(config.storage).read_pointer(product.name)
    return (plan.inputs, plan.pointer, plan.code) == (inputs, pointer, data_code(config, product))


def _partitions(config: Config, product: DataProduct, requested: tuple[str, ...]) -> tuple[str, ...]:
    if product.partitions is None:
        if requested:
            raise UnknownName(f"'{product.name}' has no partitions; leave --partition out, or declare them in its descriptor")
        return ()
    selected = set(product.partitions.select(product.name, requested, config.clock()))
    return tuple(key for key in product.partitions.all(config.clock()) if key in selected)


def _contents(
    config: Config, product: DataProduct, partitions: Partitions, inputs: BuildInputs
) -> dict[str, Mapping[str, str]]:
    """The content of each partition of the inputs of which a partition reads its own rows."""
    daily, contents = partitions.start is not None, {}
    for name, column in partitions.inputs.items():
        if name.startswith(f"{RAW}."):
            source = inputs.sources[name.partition(".")[2]]
            files = {source.path: source.digest}
            contents[name] = table_contents(config, f"{product.name}.{name}", files, column, daily=daily)
        else:
            pin = inputs.pins[name]
            contents[name] = port_contents(config, pin.snapshot, pin.port.partition(".")[2], column, daily=daily)
    return contents


def _record(
    product: DataProduct, inputs: BuildInputs, parts: Mapping[str, Any], contents: Mapping[str, Mapping[str, str]], key: str
) -> PartitionRecord:
    """The record of a partition that is built from these inputs now."""
    assert product.partitions is not None
    columns = product.partitions.inputs
    own = {name: content.get(key, ABSENT) for name, content in contents.items()}
    pins = {
        pin.port: PartitionInput(pin.snapshot.version, own.get(name, pin.content), columns.get(name, ""))
        for name, pin in inputs.pins.items()
    }
    raw = {f"{RAW}.{name}": source.digest for name, source in inputs.sources.items()}
    sources = {name: PartitionInput("", own.get(name, digest), columns.get(name, "")) for name, digest in raw.items()}
    rows = {
        "inputs": {**parts["inputs"], **{name: digest for name, digest in own.items() if name in inputs.pins}},
        "sources": {name: own.get(f"{RAW}.{name}", digest) for name, digest in parts["sources"].items()},
    }
    fingerprint = _digest({**parts, **rows}, with_partition(product, inputs.parameters, key), key)
    rest = {name: part for name, part in parts.items() if name not in rows}
    return PartitionRecord(fingerprint, _digest(rest, inputs.parameters), {**pins, **sources})


def _shown(product: DataProduct, current: Snapshot) -> Iterator[str]:
    """Yield the columns that the contracts mask now, and the current snapshot less."""
    for port in (port for port in product.ports if port.name in current.manifest["ports"]):
        masks = published_masks(current, port.name)
        for column in port.contract.columns:
            if column.mask and hides_less(masks.get(column.name), column.mask.kind):
                yield f"{port.name}.{column.name}"


def _is_due(
    config: Config, product: DataProduct, request: BuildRequest, record: PartitionRecord, key: str, made: PartitionRecord | None
) -> bool:
    """Whether a partition is built: a changed input makes one older than the lookback due only when it is asked for."""
    assert product.partitions is not None
    if made is None or request.force:
        return True
    if made.fingerprint == record.fingerprint:
        return False
    asked = key in request.partitions or in_lookback(key, product.partitions.lookback, config.clock())
    return asked or made.code != record.code


def _parts(inputs: BuildInputs, code: str) -> dict[str, Any]:
    """The parts of a fingerprint other than the parameters. Inputs count by content, not by version."""
    return {
        "format": FORMAT,
        "code": code,
        "inputs": {name: pin.content for name, pin in inputs.pins.items()},
        "sources": {name: source.digest for name, source in inputs.sources.items()},
    } | ({"mask_key": inputs.mask_key} if inputs.mask_key else {})


def _needs(product: DataProduct) -> dict[str, str]:
    """The digests of consumers' contracts: a new promise is checked against the data, but does not make a partition due."""
    return {f"{port.name} {need.consumer}": need_code(need.contract.path) for port in product.ports for need in port.needs}


def _digest(parts: Mapping[str, Any], parameters: Parameters, key: str | None = None) -> str:
    """The fingerprint of a snapshot, or of one of its partitions."""
    whole = {**parts, "parameters": parameters, **({"partition": key} if key else {})}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
