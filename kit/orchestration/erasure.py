"""Erasure: removes the rows of one person from all that the mesh holds, by building it anew without them."""

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kit.build import growing_models, notify
from kit.contracts import Contract
from kit.core import Busy, KitError, make_folder, read_record, time_id, to_json, write_durably
from kit.ingest import erase_keys, erased_salt, key_hash
from kit.language_models import FOLDER as ANSWERS
from kit.mesh import RAW, Context, DataProduct, in_lookback
from kit.orchestration.erased_places import ROWS, ErasureKey, find_places, key_texts, unsearched
from kit.orchestration.instance import forget_values
from kit.orchestration.run import RunReporter, run
from kit.orchestration.run_origin import RunOrigin
from kit.storage import Place, Runs, Store, current_user

FOLDER = "erasures"
"""The folder in the storage with a record for each erasure."""

UNREACHED = (
    "the history of git, and other clones of the repository",
    "exports and copies: files that people wrote, PostgreSQL, catalogs, receivers of OpenLineage",
    "backups of the storage, and older versions that a disk or an object store keeps",
    "the sources themselves: what they deliver again is not landed, but they still have it",
)
"""What an erasure cannot reach."""

_REPOSITORY = ("domain folder", "notebook")
_DERIVED = ("dbt", "openlineage", "report.html", "spill")
"""Files and folders of the storage that are written again when they are needed."""
_SET_ASIDE = ".damaged-"


@dataclass(frozen=True)
class Erasure:
    """The end of an erasure: what is still there, why, and its record; `left` is empty when nothing was found any more."""

    record: Path
    left: tuple[Place, ...]
    problems: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the search at the end found nothing in the storage, and nothing failed."""
        return not self.problems and all(place.kind in _REPOSITORY for place in self.left)


def has_begun(context: Context, key: ErasureKey) -> bool:
    """Return whether an erasure of this key has begun and not finished."""
    digest = _digest(context, key)
    return any(data["key"] == digest and not data["finished"] for data in _records(context))


def unfinished(context: Context) -> list[str]:
    """Return the erasures that have begun and not finished, as sentences."""
    return [
        f"an erasure of {data['column']} of {data['begun'][:16]} has not finished; run it again"
        for data in _records(context) if not data["finished"]
    ]  # fmt: skip


def erase(
    context: Context, key: ErasureKey, places: Collection[Place], reporter: RunReporter | None = None,
    step: Callable[[str], None] = lambda name: None,
) -> Erasure:  # fmt: skip
    """Remove the rows of a key, which `find_places` has found, and return what a search at the end still finds.

    The sources no longer land the rows, all products that have them and those that read these are built and published again,
    and then everything older that has them is deleted. Readers see whole snapshots all the time. Whenever this is killed, the
    same call finishes it. Raises `KitError` when nothing could begin.
    """
    config, mesh = context.config, context.mesh
    tables = {table: key_texts(key, contract, key.columns.get(table, ())) for table, contract in _kept_tables(context)}
    erase_keys(config.storage, {table: columns for table, columns in tables.items() if columns})
    step("listed")
    affected = {place.product for place in places if place.kind in ROWS}
    record, begun = _begin(context, key, affected)
    affected |= set(begun["products"])
    step("begun")
    problems = []
    names = [product.name for product in mesh.products if product.name in affected]
    if names:
        chosen = mesh.pick(names, downstream=True).products
        result = run(
            context, names, downstream=True, force=True, partitions=_rebuilt(context, chosen), reporter=reporter,
            origin=RunOrigin("terminal", "kit erase"),  # without the value
        )  # fmt: skip
        problems += [f"{outcome.product}: {outcome.message}" for outcome in result.failed]
        names = [product.name for product in chosen]
    step("built")
    problems += _delete(context, key, [*names, *sorted(affected - set(names))], step)
    left, _ = find_places(context, key)
    problems += _grown(context, left)
    problems += [*_not_built(context, left), *unsearched(context, key)]
    erasure = Erasure(record, tuple(left), tuple(problems))
    about = [{"kind": place.kind, "product": place.product, "version": place.version, "part": place.part} for place in left]
    finished = datetime.now(UTC).isoformat() if erasure.complete else None
    write_durably(record, to_json({**begun, "products": sorted({*affected, *names}), "finished": finished, "left": about,
                                   "not_reached": UNREACHED}))  # fmt: skip
    step("recorded")
    return erasure


def _kept_tables(context: Context) -> Iterator[tuple[str, Contract]]:
    """Yield the tables of which later builds take rows over: of sources, partitions, incremental models and dbt snapshots."""
    for product in context.mesh.products:
        yield from ((f"{product.name}.{RAW}.{source.name}", source.contract) for source in product.sources)
        growing = growing_models(product)
        yield from ((port.id, port.contract) for port in product.ports if product.partitions or port.name in growing)


def _rebuilt(context: Context, products: Iterable[DataProduct]) -> dict[str, tuple[str, ...]]:
    """Return the partitions that are built of the products whose older ones keep rows that no source may have any more."""
    keys, clock = {}, context.config.clock()
    for product in products:
        if product.partitions and product.partitions.lookback is not None:
            known = product.partitions.all(clock)
            recent = tuple(key for key in known if in_lookback(key, product.partitions.lookback, clock))
            keys[product.name] = recent or known[-1:]
    return keys


def _grown(context: Context, left: Collection[Place]) -> Iterator[str]:
    """Yield the ports that are still found because their models begin with the published rows."""
    store = Store(context.config.storage)
    found = {(place.product, place.version, place.path.parent.name) for place in left if place.kind == "port"}
    for product in context.mesh.products:
        pointer = store.read_pointer(product.name)
        for name, model in growing_models(product).items():
            if pointer and (product.name, pointer.version, name) in found:
                option = "--discard-history" if model.is_snapshot else "--full-refresh"
                yield (
                    f"{product.name}.{name} begins with its published rows, which have values without the key; "
                    f"make it anew with `kit run {product.name} {option}`"
                )


def _not_built(context: Context, left: Collection[Place]) -> Iterator[str]:
    """Yield why rows are left in products that were not built."""
    names, broken = {product.name for product in context.mesh.products}, {item.name for item in context.mesh.broken}
    for name in sorted({place.product for place in left if place.kind in ROWS} - names):
        if name in broken:
            yield f"{name} cannot be built until its files are corrected; `kit check` names them"
        else:
            yield f"{name} has no folder below domains; `kit prune {name} --everything` deletes all of it"


def _begin(context: Context, key: ErasureKey, products: Collection[str]) -> tuple[Path, dict[str, Any]]:
    """Write the record of an erasure that begins, or return that of the same one that did not finish."""
    digest = _digest(context, key)
    for data in _records(context):
        if data["key"] == digest and not data["finished"]:
            return context.config.storage / FOLDER / f"{data['id']}.json", data
    begun = datetime.now(UTC)
    data = {"id": time_id(begun), "begun": begun.isoformat(), "by": current_user(), "column": key.column, "key": digest,
            "products": sorted(products), "finished": None}  # fmt: skip
    path = context.config.storage / FOLDER / f"{data['id']}.json"
    make_folder(path.parent)
    write_durably(path, to_json(data))
    return path, data


def _digest(context: Context, key: ErasureKey) -> str:
    return key_hash(erased_salt(context.config.storage), f"{key.column}={key.value}")


def _records(context: Context) -> Iterator[dict[str, Any]]:
    for path in sorted((context.config.storage / FOLDER).glob("*.json")):
        with suppress(KitError):
            yield read_record(path, lambda data: data)


def _delete(context: Context, key: ErasureKey, products: Collection[str], step: Callable[[str], None]) -> Iterator[str]:
    """Delete all that has values of a key and is not current; yield what could not be deleted.

    Texts go first and raw data last: after a kill the person's other values are found in what is left.
    """
    config, store, runs = context.config, Store(context.config.storage), Runs(context.config.storage)
    for name in products:
        if store.folder(name).is_dir():
            try:
                with store.build_lock(name):
                    store.remove_unfinished(name)
                    runs.empty_killed(name)
            except Busy as error:
                yield str(error)
    places, key = find_places(context, key)
    shutil.rmtree(config.cache, ignore_errors=True)
    for place in places:
        if place.kind in ("run record", "executed notebook", "file of a run"):
            if place.version:
                shutil.rmtree(runs.folder(place.product, place.version), ignore_errors=True)
            else:  # a file beside the folders of runs
                place.path.unlink(missing_ok=True)
    step("runs deleted")
    yield from forget_values(config, key.searched)
    step("history deleted")
    versions: dict[str, set[str]] = {}
    for place in places:
        if place.kind in ("port", "quarantine", "manifest"):
            versions.setdefault(place.product, set()).add(place.version)
    for name, found in versions.items():
        pointer = store.read_pointer(name)
        for result in store.delete(name, found):
            if result.kept_because and not (pointer and result.version == pointer.version):
                yield f"snapshot {result.version} of '{name}' was kept, {result.kept_because}"
        yield from notify(config, lambda listener, name=name: listener.pruned(config, name))  # type: ignore[misc]
    step("snapshots deleted")
    for place in places:
        path = place.path
        if place.kind == "raw data":
            current = None
            with suppress(KitError):
                current = store.current(place.product)
            if current is None or current.manifest["sources"].get(place.version, {}).get("digest") != path.stem:
                path.unlink(missing_ok=True)
                path.with_suffix(".sha256").unlink(missing_ok=True)
        elif place.kind in (*_DERIVED, ANSWERS) or _SET_ASIDE in place.kind:
            path.unlink(missing_ok=True)
    step("raw data deleted")
