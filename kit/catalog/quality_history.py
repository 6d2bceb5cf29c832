"""What the checks of a port found, build by build, as records and manifests tell it."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from kit.contracts import Check, DocumentReader
from kit.core import Config, KitError, UnknownName
from kit.dbt.project import Project
from kit.lineage import nodes, upstream
from kit.mesh import DataProduct
from kit.storage import BuildStatus, Runs, Store

MOST = 20
"""How many builds are looked at, the newest of them."""


@dataclass(frozen=True)
class Build:
    """One build that held data against rules. `status` is `published` or `failed`; only the first has a `version`."""

    run_id: str
    at: datetime
    status: str
    version: str | None
    message: str
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Result:
    """What one build found of one check."""

    build: Build
    check: Check


@dataclass(frozen=True)
class History:
    """One check and its results, newest first; a build that did not come as far has none."""

    table: str
    rule: str
    origin: str
    results: tuple[Result, ...]

    @property
    def last(self) -> Check:
        """What was found last."""
        return self.results[0].check


@dataclass(frozen=True)
class Quality:
    """The checks of one port in the order they are made, and the `builds` that made them, newest first."""

    port: str
    builds: tuple[Build, ...]
    checks: tuple[History, ...]


def results(config: Config, port_id: str, most: int = MOST) -> Quality:
    """What the checks of `PRODUCT.PORT` found in the newest builds, at most so many.

    Its checks are those of its contract, its suite and its readers' needs, and those of the raw sources and models of its
    own product that it is made from. Raises `UnknownName`, or `KitError` for a record that cannot be read.
    """
    product, _, port = port_id.partition(".")
    found = builds(config, product, most)
    about = tables(config, product).get(port)
    if about is None:
        raise UnknownName(f"there is no port '{port_id}'; `kit status` lists those there are")
    return of_tables(port_id, found, about)


def of_tables(port_id: str, found: tuple[Build, ...], about: frozenset[str]) -> Quality:
    """What builds found of the checks of some tables."""
    histories: dict[tuple[str, str, str], list[Result]] = {}
    for build in found:
        for check in build.checks:
            if check.table in about:
                histories.setdefault((check.table, check.rule, check.origin), []).append(Result(build, check))
    return Quality(port_id, found, tuple(History(*key, tuple(given)) for key, given in histories.items()))


def builds(config: Config, product: str, most: int = MOST) -> tuple[Build, ...]:
    """The newest builds of a product that made checks; a snapshot whose run record is gone stands for its build."""
    records = islice(Runs(config.storage).history(product, (BuildStatus.PUBLISHED, BuildStatus.FAILED)), most)
    found = [
        Build(record.run_id, record.finished_at, record.status, record.version, record.message, record.checks)
        for record in records
    ]
    known = {build.run_id for build in found}
    store = Store(config.storage)
    for version in store.versions(product)[:most]:
        try:
            snapshot = store.snapshot(product, version)
        except UnknownName:
            continue  # it has just been pruned
        if snapshot.manifest["run_id"] not in known:
            checks = tuple(map(Check.from_json, snapshot.manifest["checks"]))
            found.append(Build(snapshot.manifest["run_id"], snapshot.created_at, BuildStatus.PUBLISHED, version, "", checks))
    return tuple(sorted(found, key=lambda build: build.at, reverse=True)[:most])


def tables(config: Config, product: str) -> dict[str, frozenset[str]]:
    """The tables whose checks speak of each port of a product; of a broken one, of the ports that its snapshot serves."""
    folder = config.domains / product
    try:
        whole = DataProduct.load(folder, DocumentReader(config.cache))
        graph = {node.id: node for node in nodes(whole, Project.read(folder))}
    except KitError:
        snapshot = Store(config.storage).current(product)
        return {name: frozenset({name}) for name in (snapshot.manifest["ports"] if snapshot else ())}
    ports = {port.name for port in whole.ports}
    found = {}
    for port in whole.ports:
        mine = [graph[name].table if name in graph else name for name in upstream(graph, [port.id])]
        found[port.name] = frozenset(table for table in mine if table == port.name or table not in ports)
    return found
