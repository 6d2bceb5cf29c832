"""Coupling: a product reads only its declared inputs, as its SQL, its Python and the queries of its rules show."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from kit.build import forbidden
from kit.contracts import TABLE, Finding, Rule
from kit.core import KitError
from kit.dbt.project import Project, package_folders
from kit.lineage import SqlReader, notebook_reads, sql_references
from kit.mesh import DESCRIPTOR, RAW, Context, DataProduct, OutputPort
from kit.quality import suite

_SELF = "kit table"  # the name of ${table} in queries of rules; contracts cannot have names with spaces
_DATABASE_CATALOGS = {"information_schema", "pg_catalog", "system", "temp"}


def check_coupling(context: Context, product: DataProduct) -> Iterator[Finding]:
    """Find the tables, ports and files that a product reads without declaring them, and input ports that are never read."""
    yield from dict.fromkeys(_Coupling(context, product).check())


class _Coupling:
    """The check of one product; `read` are the names of the tables and ports that it reads, as far as they are known."""

    def __init__(self, context: Context, product: DataProduct) -> None:
        self.context, self.product = context, product
        self.read: set[str] = set()
        self.is_complete = True
        self.inputs = {item.name for item in product.inputs}
        self.raw = {f"{RAW}.{source.name}" for source in product.sources}

    def check(self) -> Iterator[Finding]:
        yield from self.check_sql()
        yield from self.check_python()
        yield from self.check_rules()
        if self.is_complete:
            for name in (item.name for item in self.product.inputs if item.name not in self.read):
                message = f"declares '{name}' but nothing reads it"
                yield self.finding(self.product.folder / DESCRIPTOR, message, "delete the input port")

    def finding(self, path: Path, message: str, fix: str = "") -> Finding:
        return Finding(self.product.name, path, None, message, fix)

    def check_sql(self) -> Iterator[Finding]:
        """Check models, SQL tests and hooks."""
        try:
            references = sql_references(self.context.config, self.product)
        except KitError as error:
            self.is_complete = False
            yield self.finding(self.product.folder, f"the reads of its models are not known: {error}")
            return
        folders = (self.product.folder, *package_folders(self.product.folder))
        models = {model.name.lower() for folder in folders for model in Project.read(folder).models}
        for text, references_of_text in references.items():
            is_hook = text.kind == "hook"
            subject = "a hook " if is_hook else ""
            self.is_complete = self.is_complete and references_of_text.parsed
            for fault in references_of_text.faults:
                yield self.finding(text.path, f"{subject}{fault}")
            for table in references_of_text.tables:
                self.read.add(table.lower())
                own = {*models, "this"} if is_hook else models
                # SQL does not distinguish capital and small letters.
                if table.lower() not in self.inputs | self.raw | own:
                    yield self.finding(text.path, f"{subject}reads {self.table_problem(table)}")

    def table_problem(self, table: str) -> str:
        """Return why a model must not read a table."""
        schema, dot, _ = table.partition(".")
        if not dot:
            return f"'{table}', which is no model, seed or input of '{self.product.name}'; use ref() or source()"
        if schema.lower() in _DATABASE_CATALOGS:
            return f"'{table}', the database's own catalog; read tables only"
        return self.input_problem(table)

    def input_problem(self, name: str) -> str:
        """Return why a name is no input of the product."""
        product = self.product
        schema, _, rest = name.partition(".")
        if schema == product.name and product.port(rest):
            return f"'{name}', the product's own port, as if it were an input; use ref('{rest}')"
        if schema == RAW:
            return f"'{name}', which is no raw source of '{product.name}'; there are: {', '.join(sorted(self.raw)) or 'none'}"
        if name in (port.id for port in self.context.mesh.ports):
            return f"'{name}', which is no declared input; declare it under inputPorts in {DESCRIPTOR}"
        if schema in self.context.mesh.names:
            offered = ", ".join(port.id for port in self.context.mesh.ports if port.id.startswith(f"{schema}.")) or "none"
            return f"'{name}', an internal of '{schema}'; its ports are: {offered}"
        inputs = ", ".join(item.name for item in product.inputs) or "none"
        return f"'{name}', which '{product.name}' does not declare; its inputs are: {inputs}"

    def check_python(self) -> Iterator[Finding]:
        """Check the inputs that notebooks read."""
        places = forbidden(self.context.config, self.product.name)
        for port in self.product.ports:
            if port.notebook is not None:
                yield from self.check_notebook(port, port.notebook, places)

    def check_notebook(self, port: OutputPort, path: Path, places: dict[Path, str]) -> Iterator[Finding]:
        try:
            code = notebook_reads(path, self.product.name, self.product.folder, places)
        except KitError:  # a finding of `safety_findings`
            self.is_complete = False
            return
        self.is_complete = self.is_complete and not code.reads_any
        inputs = {item.name for item in port.reads}
        for read in code.reads:
            if matching := {name for name in inputs if read.matches(name)}:
                self.read |= matching
            elif read.name in self.inputs:
                problem = f"'{read.name}', which is no input of '{port.id}'; add it to inputContracts of that port"
                yield read.place.finding(self.product.name, f"reads {problem}")
            else:
                yield read.place.finding(self.product.name, f"reads {self.input_problem(read.name)}")

    def check_rules(self) -> Iterator[Finding]:
        """Check the queries of contracts, suites and consumer contracts."""
        reader = SqlReader(self.context.config.cache / "rules" / self.product.name)
        for path, rule, allowed in self.rules():
            if rule.foreign_key:
                self.read.add(rule.foreign_key.table.lower())
            if rule.assertion.query is None:
                continue
            references = reader.read(rule.assertion.query.sql(f'"{_SELF}"'))
            for fault in references.faults:
                yield self.finding(path, f"'{rule.name}' {fault}")
            for table in references.tables:
                if table.lower() in allowed:
                    self.read.add(table.lower())
                elif table != _SELF:
                    names = ", ".join((TABLE, *sorted(allowed)))
                    yield self.finding(path, f"'{rule.name}' reads '{table}'; it may read: {names}")
        reader.save()

    def rules(self) -> Iterator[tuple[Path, Rule, frozenset[str]]]:
        """Yield every rule with its file and the tables that its query may read besides its own."""
        product = self.product
        before = frozenset(self.raw | self.inputs)
        after = before | {name for port in product.ports for name in (port.name, port.id)}
        contracts = [(source.contract, before) for source in product.sources]
        contracts += [(port.contract, after) for port in product.ports]
        contracts += [(need.contract, frozenset()) for need in product.needs]
        for contract, allowed in contracts:
            yield from ((contract.path, rule, allowed) for rule in contract.rules)
        for path in (port.extra_suite for port in product.ports if port.extra_suite):
            yield from ((path, rule, after) for rule in _extra_rules(path))


def _extra_rules(path: Path) -> Iterable[Rule]:
    with suppress(KitError):  # reported by `check_mesh`
        return suite.extra_rules(path)
    return ()
