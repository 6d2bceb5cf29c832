"""Results of a port's checks, build by build, from run records and manifests."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from kit.contracts import Check, DocumentReader
from kit.core import Config, KitError, UnknownName
from kit.dbt.project import Project
from kit.lineage import product_nodes, upstream
from kit.mesh import DataProduct
from kit.storage import BuildStatus, Runs, Store

MAX_BUILDS = 20
"""The number of builds in a history."""


@dataclass(frozen=True)
class CheckedBuild:
    """One build with checks. `status` is `published` or `failed`; only a published build has a `version`."""

    run_id: str
    at: datetime
    status: str
    version: str | None
    message: str
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class CheckResult:
    """The result of one check in one build."""

    build: CheckedBuild
    check: Check


@dataclass(frozen=True)
class CheckHistory:
    """One check and its results, newest first; a build that did not reach the check has no result."""

    table: str
    rule: str
    origin: str
    results: tuple[CheckResult, ...]

    @property
    def last(self) -> Check:
        """The newest result."""
        return self.results[0].check

    @property
    def always_passed(self) -> bool:
        """Whether the check passed in every build."""
        return all(result.check.passed for result in self.results)


@dataclass(frozen=True)
class PortQuality:
    """The checks of one port in the order in which builds make them, and the builds, newest first."""

    port: str
    builds: tuple[CheckedBuild, ...]
    checks: tuple[CheckHistory, ...]


def port_quality(config: Config, port_id: str, limit: int = MAX_BUILDS) -> PortQuality:
    """Return the results of the checks of `PRODUCT.PORT` in the newest builds, at most `limit`.

    These are the checks of its contract, its suite and its consumer contracts, and of the raw sources and models of its own
    product from which it is made. Raises `UnknownName`, or `KitError` for a record that cannot be read.
    """
    product, _, port = port_id.partition(".")
    tables = tables_of_ports(config, product).get(port)
    if tables is None:
        raise UnknownName(f"there is no port '{port_id}'; `kit status` lists all ports")
    builds = checked_builds(config, product, limit)
    return PortQuality(port_id, builds, tuple(history for history in check_histories(builds) if history.table in tables))


def check_histories(builds: Iterable[CheckedBuild]) -> tuple[CheckHistory, ...]:
    """Return the history of every check of the builds, which are ordered from new to old."""
    histories: dict[tuple[str, str, str], list[CheckResult]] = {}
    for build in builds:
        for check in build.checks:
            histories.setdefault((check.table, check.rule, check.origin), []).append(CheckResult(build, check))
    return tuple(CheckHistory(*key, tuple(results)) for key, results in histories.items())


def checked_builds(config: Config, product: str, limit: int = MAX_BUILDS) -> tuple[CheckedBuild, ...]:
    """Return the newest builds of a product with checks; a snapshot replaces a run record that was pruned."""
    records = islice(Runs(config.storage).history(product, (BuildStatus.PUBLISHED, BuildStatus.FAILED)), limit)
    builds = [
        CheckedBuild(record.run_id, record.finished_at, record.status, record.version, record.message, record.checks)
        for record in records
    ]
    known = {build.run_id for build in builds}
    store = Store(config.storage)
    for version in store.versions(product)[:limit]:
        try:
            snapshot = store.snapshot(product, version)
        except UnknownName:
            continue  # it has just been pruned
        if snapshot.manifest["run_id"] not in known:
            checks = tuple(map(Check.from_json, snapshot.manifest["checks"]))
            builds.append(
                CheckedBuild(snapshot.manifest["run_id"], snapshot.created_at, BuildStatus.PUBLISHED, version, "", checks)
            )
    return tuple(sorted(builds, key=lambda build: build.at, reverse=True)[:limit])


def tables_of_ports(config: Config, product: str) -> dict[str, frozenset[str]]:
    """Return the tables whose checks concern each port of a product: the port, and the raw sources and models upstream.

    For a broken product these are the ports of its current snapshot alone.
    """
    folder = config.domains / product
    try:
        loaded = DataProduct.load(folder, DocumentReader(config.cache, product))
        graph = {node.id: node for node in product_nodes(loaded, Project.read(folder))}
    except KitError:
        snapshot = Store(config.storage).current(product)
        return {name: frozenset({name}) for name in (snapshot.manifest["ports"] if snapshot else ())}
    ports = {port.name for port in loaded.ports}
    tables = {}
    for port in loaded.ports:
        made_from = [graph[name].table if name in graph else name for name in upstream(graph, [port.id])]
        tables[port.name] = frozenset(table for table in made_from if table == port.name or table not in ports)
    return tables
