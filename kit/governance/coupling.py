"""Proof that a product reads nothing of others but the ports it declares, from its SQL and its Python."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kit.contracts import TABLE, Contract, Finding, Rule
from kit.core import Config, KitError
from kit.dbt.project import Project, files_below, folder_names, read_loosely
from kit.lineage import PythonReads, SqlReader, ingest_reads, notebook_reads, sql_references
from kit.mesh import DESCRIPTOR, RAW, DataProduct, Mesh
from kit.quality import suite

_SELF = "kit table"  # what ${table} goes by; nothing of a contract can be called so


@dataclass(frozen=True)
class RuleReferences:
    """`tables` are those that rules name beside their own; `findings` report the ones they must not name."""

    tables: frozenset[str]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Query:
    """The SQL of one rule, the file it stands in, and the tables it may ask beside its own."""

    path: Path
    rule: str
    sql: str
    others: frozenset[str]


def asked(config: Config, product: DataProduct) -> RuleReferences:
    """What the rules of a product's contracts and suites, and those it states as needs, ask."""
    queries = tuple(_queries(product))
    tables = {rule.foreign_key.table for contract in _contracts(product) for rule in contract.rules if rule.foreign_key}
    findings = []
    reader = SqlReader(config.cache / "asked" / product.name)
    for query in queries:
        reached = reader.read(query.sql)
        findings += [Finding(product.name, query.path, None, f"'{query.rule}' {fault}") for fault in reached.faults]
        for table in reached.tables:
            if table.lower() in query.others:
                tables.add(table)
            elif table != _SELF:
                allowed = ", ".join((TABLE, *sorted(query.others)))
                message = f"'{query.rule}' asks '{table}'; it may ask: {allowed}"
                findings.append(Finding(product.name, query.path, None, message))
    reader.save()
    return RuleReferences(frozenset(tables), tuple(findings))


def _contracts(product: DataProduct) -> list[Contract]:
    return [source.contract for source in product.sources] + [port.contract for port in product.ports]


def _queries(product: DataProduct) -> Iterator[_Query]:
    before = frozenset({f"{RAW}.{source.name}" for source in product.sources} | {item.name for item in product.inputs})
    after = before | {name for port in product.ports for name in (port.name, port.id)}
    for source in product.sources:
        yield from _of(source.contract.path, source.contract.rules, before)
    for port in product.ports:
        yield from _of(port.contract.path, port.contract.rules, after)
        if port.extra_suite:
            with suppress(KitError):  # `kit check` tells of every suite that cannot be read
                yield from _of(port.extra_suite, suite.extra_rules(port.extra_suite), after)
    for need in product.needs:
        yield from _of(need.contract.path, need.contract.rules, frozenset())


def _of(path: Path, rules: Iterable[Rule], others: frozenset[str]) -> Iterator[_Query]:
    for rule in rules:
        query = rule.assertion.query
        if query:
            yield _Query(path, rule.name, query.sql(f'"{_SELF}"'), others)


_OF_THE_DATABASE = {"information_schema", "pg_catalog", "system", "temp"}


def check_coupling(config: Config, mesh: Mesh) -> Iterator[Finding]:
    """Find the tables, ports and files each product reads without declaring them, and the input ports it never reads."""
    for product in mesh.products:
        yield from dict.fromkeys(_product(config, mesh, product))


@dataclass
class _Seen:
    """The names of tables and ports a product was seen reading; `all` when some of it cannot be seen."""

    names: set[str]
    all: bool = False


def _product(config: Config, mesh: Mesh, product: DataProduct) -> Iterator[Finding]:
    seen = _Seen(set())
    yield from _sql(config, mesh, product, seen)
    yield from _python(config, mesh, product, seen)
    rules = asked(config, product)
    seen.names |= {table.lower() for table in rules.tables}
    yield from rules.findings
    for item in product.inputs:
        if not seen.all and item.name not in seen.names:
            message = f"declares '{item.name}' but nothing reads it"
            yield Finding(product.name, product.folder / DESCRIPTOR, None, message, "delete the input port")


def _sql(config: Config, mesh: Mesh, product: DataProduct, seen: _Seen) -> Iterator[Finding]:
    yield from _unprovable(product)
    try:
        texts = sql_references(config, product)
    except KitError as error:
        seen.all = True
        yield Finding(product.name, product.folder, None, f"cannot tell what its models read: {error}")
        return
    own = {model.name.lower() for model in Project.read(product.folder).models}
    for text, found in texts.items():
        seen.names |= {table.lower() for table in found.tables}
        hook = "a hook " if text.kind == "hook" else ""
        seen.all = seen.all or not found.parsed
        for fault in found.faults:
            yield Finding(product.name, text.path, None, f"{hook}{fault}")
        for table in found.tables:
            if problem := _table(mesh, product, own | ({"this"} if text.kind == "hook" else set()), table):
                yield Finding(product.name, text.path, None, f"{hook}reads {problem}")


def _unprovable(product: DataProduct) -> Iterator[Finding]:
    """Files dbt would run whose reads nobody can prove."""
    settings = read_loosely(product.folder / "dbt_project.yml")
    for key, default, suffix, kind, fix in (
        ("model-paths", "models", ".py", "a Python model, whose reads cannot be proved", "write SQL, or a notebook port"),
        ("snapshot-paths", "snapshots", ".sql", "a dbt snapshot, but the kit keeps every version", "delete it"),
    ):
        for part in folder_names(settings, key, default) if settings else ():
            for path, _ in files_below(product.folder / part):
                if path.suffix == suffix:
                    yield Finding(product.name, path, None, f"is {kind}", fix)


def _table(mesh: Mesh, product: DataProduct, own: set[str], table: str) -> str | None:
    """What is wrong with reading a table, None when the product may."""
    schema, dot, _ = table.partition(".")
    declared = {item.name for item in product.inputs} | {f"{RAW}.{source.name}" for source in product.sources}
    if table.lower() in declared | own:  # SQL does not tell small letters from capital ones
        return None
    if not dot:
        return f"'{table}', which is no model, seed or input of '{product.name}'; use ref() or source()"
    if schema.lower() in _OF_THE_DATABASE:
        return f"'{table}', the database's own catalog; read tables only"
    return foreign(mesh, product, table)


def foreign(mesh: Mesh, product: DataProduct, name: str) -> str:
    """What is wrong with reading something of that name that is no declared input."""
    schema, _, rest = name.partition(".")
    if schema == product.name and product.port(rest):
        return f"'{name}', the product's own port, as if it were an input; use ref('{rest}')"
    if schema == RAW:
        known = ", ".join(f"{RAW}.{source.name}" for source in product.sources) or "none"
        return f"'{name}', which is no raw source of '{product.name}'; there are: {known}"
    if name in (port.id for port in mesh.ports):
        return f"'{name}', which is no declared input; declare it under inputPorts in {DESCRIPTOR}"
    if schema in mesh.names:
        offered = ", ".join(port.id for port in mesh.ports if port.id.startswith(f"{schema}.")) or "none"
        return f"'{name}', an internal of '{schema}'; its ports are: {offered}"
    known = ", ".join(item.name for item in product.inputs) or "none"
    return f"'{name}', which '{product.name}' does not declare; its inputs are: {known}"


def forbidden(config: Config, mesh: Mesh, product: str) -> dict[Path, str]:
    """The places whose files a product has no business with, and what they are."""
    folders = [(item.name, item.folder) for item in mesh.products] + [(item.name, item.folder) for item in mesh.broken]
    found = {folder: f"the folder of '{name}'" for name, folder in folders if name != product}
    return {**found, config.storage: "the storage of the mesh"}


def _python(config: Config, mesh: Mesh, product: DataProduct, seen: _Seen) -> Iterator[Finding]:
    places = forbidden(config, mesh, product.name)
    yield from ingest_reads(product.name, product.folder, places).faults
    for port in product.ports:
        if port.notebook is None:
            continue
        try:
            found: PythonReads = notebook_reads(port.notebook, product.name, product.folder, places)
        except KitError as error:
            seen.all = True
            yield Finding.from_error(product.name, error)
            continue
        yield from found.faults
        inputs = {item.name for item in port.reads}
        seen.all = seen.all or found.reads_any
        for read in found.reads:
            matching = {name for name in inputs if read.matches(name)}
            seen.names |= matching
            if matching:
                continue
            if read.name in (item.name for item in product.inputs):
                problem = f"'{read.name}', which is no input of '{port.id}'; add it to inputContracts of that port"
            else:
                problem = foreign(mesh, product, read.name)
            yield read.place.finding(product.name, f"reads {problem}")
