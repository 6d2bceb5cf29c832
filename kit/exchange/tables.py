"""The tables that a product reads and makes, as contracts, its snapshot and lineage describe them to other systems."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kit.contracts import Check, Contract, Rule
from kit.core import KitError, database
from kit.exchange.profile import Profile, profile
from kit.ingest import Origin
from kit.lineage import column_lineage
from kit.mesh import RAW, Context, DataProduct
from kit.quality import audit_targets, rules
from kit.storage import Snapshot


@dataclass(frozen=True)
class CheckResult:
    """One check of one table, without values of hidden columns.

    `kind` is the type of the expectation or dbt test, `custom` for others. `name` is unique in its table in most cases: checks
    of a hidden column, whose names may list its values, are named by their kind.
    """

    table: str
    name: str
    kind: str
    columns: tuple[str, ...]
    passed: bool
    severity: str
    description: str
    observed: str
    failing_rows: int | None


class Tables:
    """The tables of one product, by the names that lineage has for them; those of its inputs have a contract only."""

    def __init__(self, context: Context, product: DataProduct, snapshot: Snapshot | None = None) -> None:
        self.context, self.product, self.snapshot = context, product, snapshot
        self.contracts = _contracts(context, product)
        self.hidden = frozenset(column.name for item in self.contracts.values() for column in item.hidden_columns)
        self.versions = _versions(product, snapshot) if snapshot else {}
        self.origins = column_lineage(context, [product]) if snapshot else {}

    def columns(self, table: str) -> tuple[str, ...]:
        """Return the columns of a model as its SQL makes them; none where they cannot be resolved."""
        prefix = f"{table}."
        return tuple(name.removeprefix(prefix) for name in self.origins if name.startswith(prefix))

    def origins_of(self, table: str) -> dict[str, tuple[tuple[str, str], ...]]:
        """Return the columns (table and name) that each column of a table is made from, without those made from none."""
        found = {name: self.origins[f"{table}.{name}"] for name in self.columns(table)}
        return {name: tuple(map(_split, ids)) for name, ids in found.items() if ids}

    def outside(self, table: str) -> tuple[Origin, ...]:
        """Return the datasets outside of the mesh that a source was read from."""
        product, _, source = table.partition(f".{RAW}.")
        if self.snapshot is None or product != self.product.name:
            return ()
        return tuple(Origin(**origin) for origin in self.snapshot.manifest["sources"].get(source, {}).get("origins", ()))

    def outside_columns(self, table: str) -> dict[str, tuple[Origin, str]]:
        """Return the column of such a dataset that each column of a source is; empty unless the source is read from one."""
        match self.outside(table):
            case (origin,) if table in self.contracts:
                names = {column.name: column.physical_name or column.name for column in self.contracts[table].columns}
                return {name: (origin, physical) for name, physical in names.items() if physical in origin.columns}
        return {}

    def profile(self, table: str) -> Profile | None:
        """Return the profile of a port or source; None for a model, whose rows a build does not keep, and without files."""
        return self._profiles.get(table)

    @cached_property
    def _profiles(self) -> dict[str, Profile]:
        """The profiles of all tables with files, read through one connection."""
        import duckdb

        profiles: dict[str, Profile] = {}
        if files := {table: found for table in self.contracts if (found := self._files(table))}:
            with database.connect() as connection:
                for table, paths in files.items():
                    with suppress(OSError, duckdb.Error):  # pruned meanwhile
                        profiles[table] = profile(connection, paths, self.hidden)
        return profiles

    def results(self, checks: Iterable[Check]) -> list[CheckResult]:
        """Return checks of the product as other systems may see them."""
        known: dict[tuple[str, str], Rule] = {}
        with suppress(KitError):  # a suite that cannot be read: the build reports it
            for target in (target for targets in audit_targets(self.product) for target in targets):
                known |= {(target.table, rule.name): rule for _, rule in rules(target, self.context.config.clock())}
        return [self._result(check, known.get((check.table, check.rule))) for check in checks]

    def is_private(self, rule: Rule) -> bool:
        """Return whether the text of a rule may contain values of a hidden column: it is about one, or a query of a person."""
        return not self.hidden.isdisjoint(rule.assertion.columns) or (bool(self.hidden) and rule.assertion.query is not None)

    def rule_name(self, rule: Rule) -> str:
        """Return the name of a rule, or its kind where the name may contain values of a hidden column."""
        columns = ", ".join(rule.assertion.columns)
        shown = f"{columns}: {rule.assertion.expectation}" if columns else rule.assertion.expectation
        return shown if self.is_private(rule) else rule.name

    def _files(self, table: str) -> list[Path]:
        """The Parquet files of a port or source; none of a table of another product."""
        product, _, name = table.partition(".")
        if self.snapshot is None or product != self.product.name:
            return []
        raw, _, source = name.rpartition(".")
        if raw:
            digest = self.snapshot.manifest["sources"].get(source, {}).get("digest", "")
            return [self.context.config.storage / RAW / product / source / f"{digest}.parquet"]
        return self.snapshot.paths(name) if name in self.snapshot.manifest["ports"] else []

    def _result(self, check: Check, rule: Rule | None) -> CheckResult:
        columns = rule.assertion.columns if rule else ()
        name, kind = check.rule, rule.assertion.expectation if rule else "custom"
        if check.origin == "dbt":  # `COLUMN: TEST {"values": …}`
            name = check.rule.partition(" {")[0]
            column, colon, test = name.partition(": ")
            columns, kind = ((column,), test) if colon else ((), "unit_test" if name.startswith("unit test ") else "custom_sql")
        private = not self.hidden.isdisjoint(columns) or (rule is not None and self.is_private(rule))
        if private:
            name = f"{', '.join(columns)}: {kind}" if columns else kind
        inputs = {name for item in self.product.inputs for name in (item.name, item.port)}
        return CheckResult(
            table=check.table if check.table in inputs else f"{self.product.name}.{check.table}",
            name=name,
            kind=kind,
            columns=columns,
            passed=check.passed,
            severity=check.severity,
            description="" if private else check.note,
            observed=check.observed,
            failing_rows=check.failing_rows,
        )


def _split(column: str) -> tuple[str, str]:
    table, _, name = column.rpartition(".")
    return table, name


def _contracts(context: Context, product: DataProduct) -> dict[str, Contract]:
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
