"""A data product made from an existing dbt project: its files as they are, with contracts drafted from one run of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kit.build import PreviewedModel, preview_models, preview_tests
from kit.contracts import Check, Contract, Finding
from kit.core import KitError, database, read_text, short, with_value
from kit.dbt.committed import write_macros
from kit.dbt.project import read_loosely
from kit.ingest import identifier
from kit.mesh import RAW, Context, DataProduct, Mesh
from kit.scaffold import dbt_model_yaml, templates
from kit.scaffold.changes import FileChange
from kit.scaffold.contract_draft import draft, unfit_columns
from kit.scaffold.dbt_origin import DbtModel, DbtOrigin, DbtSource
from kit.scaffold.dbt_tests import promises
from kit.scaffold.hidden_names import hidden_names
from kit.scaffold.mesh_copy import MeshCopy
from kit.scaffold.port_files import (
    PortFiles,
    add_files,
    check_input,
    input_entries,
    output_entry,
    write,
)
from kit.scaffold.port_source import files_of_source, origin_file, source_name
from kit.scaffold.templates import sql_name

_CASTS = {"hugeint": "bigint", "uhugeint": "bigint", "timestamp_s": "timestamp", "timestamp_ms": "timestamp",
          "timestamp_ns": "timestamp"}  # fmt: skip
"""Types of DuckDB that no contract can have, and those that stand for them."""
_LAST_SELECT = re.compile(r"(?im)^([ \t]*)select\s+\*\s+from\s+(\w+|\{\{[^{}]*\}\})\s*\Z")
_ORDERED = re.compile(r"(?i)\border\s+by\b[^()]*\Z")
_SET_OPERATION = re.compile(r"(?i)\b(union|except|intersect)(\s+all)?(\s+by\s+name)?\s*\Z")
_MATERIALIZED = re.compile(r"""(\bmaterialized\s*=\s*)(['"])\w+\2""")
_REF = re.compile(r"""\s*(?:\{\{)?\s*ref\(\s*['"](\w+)['"]\s*\)\s*(?:\}\})?\s*""")


@dataclass
class TakenOver:
    """The changes that make the product, its `ports`, and what a person should know: questions, remarks, failing tests."""

    changes: tuple[FileChange, ...]
    ports: tuple[str, ...]
    questions: Mapping[str, str]
    remarks: tuple[Finding, ...]
    failing: tuple[Check, ...]


@dataclass
class _Takeover:
    """One product in the making, in the copy of a mesh."""

    origin: DbtOrigin
    domains: Path
    mesh: Mesh
    copy: MeshCopy
    ports: list[DbtModel]
    remarks: list[Finding] = field(default_factory=list)
    questions: dict[str, str] = field(default_factory=dict)

    @property
    def product(self) -> str:
        return self.copy.product

    def add_project(self) -> None:
        """Copy the project, and let the kit's profile and macros run it."""
        folder = self.copy.folder
        self.origin.copy_to(folder)
        path = folder / "dbt_project.yml"
        text = with_value(path, read_text(path), ["profile"], "kit")
        top = ["models", self.origin.project]
        for model in self.ports:
            config = dbt_model_yaml.entry(folder / model.yaml, model.name).get("config") if model.yaml else None
            for key, value in (config if isinstance(config, dict) else {}).items():
                if key not in ("materialized", "contract"):
                    text = with_value(path, text, [*top, *model.folders, model.name, f"+{key}"], value)
        path.write_text(text, encoding="utf-8")
        write_macros(folder)

    def materialize(self, how: str) -> None:
        """Let dbt materialize the ports in another way, whatever the settings above them say."""
        path = self.copy.folder / "dbt_project.yml"
        text = read_text(path)
        top = ["models", self.origin.project]
        # Further ports go into this folder.
        is_whole = all(model in self.ports for model in self.origin.models.values() if model.folders[:1] == ("marts",))
        if is_whole:
            text = with_value(path, text, [*top, "marts", "materialized"], None)
            text = with_value(path, text, [*top, "marts", "+materialized"], how)
        for model in self.ports:
            if not is_whole or model.folders != ("marts",):
                text = with_value(path, text, [*top, *model.folders, model.name, "+materialized"], how)
            sql = self.copy.folder / model.file
            sql.write_text(_MATERIALIZED.sub(rf"\g<1>\g<2>{how}\g<2>", read_text(sql)), encoding="utf-8")
        path.write_text(text, encoding="utf-8")

    def add_sources(self, given: Mapping[str, str], csv: Sequence[str]) -> None:
        """Add each table that the project reads: a raw file, a seed without readers, or a port of the mesh.

        Raises `KitError` with all sources that have no data.
        """
        missing = []
        names = [identifier(source.identifier) for source in self.origin.sources]
        unknown = given.keys() - {name for source in self.origin.sources for name in (source.label, source.name)}
        if unknown:
            known = ", ".join(source.label for source in self.origin.sources) or "none"
            raise KitError(f"--source {min(unknown)}: the project reads no such source; it reads: {known}")
        for source, plain in zip(self.origin.sources, names, strict=True):
            name = source_name(plain if names.count(plain) == 1 else identifier(source.label))
            origin = given.get(source.label) or given.get(source.name) or self._found(source)
            if origin is None:
                line = self.origin.line_of(source.file, "sources", source.source, source.name)
                problem = f"the source {source.label} has no data here"
                fix = f"add --source {source.label}=FILE, or =PRODUCT.PORT"
                missing.append(Finding("", self.origin.path / source.file, line, problem, fix))
            elif origin_file(origin):
                files = files_of_source(self.domains, self.product, name, origin, csv, staged=False)
                self.questions |= files.questions
                self._add(source, files, RAW, name)
            else:
                port = self.mesh.port(origin)
                check_input(self.mesh, self.product, port)
                schema, _, table = port.id.partition(".")
                self._add(source, PortFiles(inputs=input_entries(self.product, [port]), has_dbt=False), schema, table)
        if missing:
            raise refusal(self.origin, missing)

    def _found(self, source: DbtSource) -> str | None:
        """The seed or the port that a source is by its name."""
        if self.origin.is_seed_of_source(source.identifier):
            return str(self.origin.seeds[source.identifier])
        port = f"{source.source}.{source.identifier}"
        return port if port in (item.id for item in self.mesh.ports) else None

    def _add(self, source: DbtSource, files: PortFiles, schema: str, table: str) -> None:
        """Add a source to the folder, and let dbt find it under its schema and table."""
        folder = self.copy.folder
        add_files(folder, files)
        if schema == RAW and self.origin.is_seed_of_source(source.identifier):
            (folder / self.origin.seeds[source.identifier].relative_to(self.origin.path)).unlink()
        path = folder / source.file
        text = read_text(path)
        declared = enumerate(read_loosely(path)["sources"])
        position, entry = next((i, item) for i, item in declared if item.get("name") == source.source)
        number = next(i for i, item in enumerate(entry["tables"]) if item.get("name") == source.name)
        text = with_value(path, text, ["sources", position, "database"], None)
        if (entry.get("schema") or source.source) != schema:
            text = with_value(path, text, ["sources", position, "schema"], schema)
        if source.identifier != table:
            text = with_value(path, text, ["sources", position, "tables", number, "identifier"], table)
        path.write_text(text, encoding="utf-8")

    def add_contracts(self, made: Mapping[str, PreviewedModel]) -> None:
        """Draft the contract of each port from its rows, its YAML entry and its tests; raises `KitError` with all obstacles."""
        obstacles = [finding for model in self.ports for finding in self._misfits(model, made[model.name].types)]
        if obstacles:
            raise refusal(self.origin, obstacles)
        types = {name: {column: _CASTS.get(kind, kind) for column, kind in item.types.items()} for name, item in made.items()}
        for model in self.ports:
            columns = types[model.name]
            entry = dbt_model_yaml.entry(self.copy.folder / model.yaml, model.name) if model.yaml else {}
            found = promises(entry, columns, model.description, model.columns, self._relation(types))
            self._remark_columns(model, entry, columns)
            casts = {column: columns[column] for column, kind in made[model.name].types.items() if kind in _CASTS}
            rows = _with_casts(made[model.name].file, casts)
            path = self.copy.folder / f"contracts/{model.name}.odcs.yaml"
            hidden = hidden_names(self.domains)
            write(path, draft([rows], f"{self.product}.{model.name}", facts=found.facts, hidden=hidden))
            self._finish(model, casts, Contract.load(path).key)
            target = (self.copy.folder / model.file).with_suffix(".yml")
            dbt_model_yaml.move(self.copy.folder / (model.yaml or "none"), target, model.name, found.others)

    def _misfits(self, model: DbtModel, types: Mapping[str, str]) -> list[Finding]:
        """The columns of a model that no contract can have, and that cannot be cast in its last line."""
        path = self.origin.path / model.file
        last = _LAST_SELECT.search(read_text(path))
        castable = bool(last and not _SET_OPERATION.search(read_text(path)[: last.start()].rstrip()))
        others = {name: kind for name, kind in types.items() if not (castable and kind in _CASTS)}
        return [Finding("", path, 1, problem) for problem in unfit_columns(others)]

    def _relation(self, types: Mapping[str, Mapping[str, str]]) -> Any:
        def find(to: str, name: str, kind: str) -> str:
            match = _REF.fullmatch(to)
            columns = types.get(match[1], {}) if match else {}
            column = next((column for column in columns if column.lower() == name.lower()), None)
            return f"{self.product}.{match[1]}.{column}" if match and column and columns[column] == kind else ""

        return find

    def _remark_columns(self, model: DbtModel, entry: Mapping[str, Any], types: Mapping[str, str]) -> None:
        known = {name.lower() for name in types}
        for column in entry.get("columns") or ():
            name = str(column.get("name"))
            line = self.origin.line_of(model.yaml, "models", model.name, name)
            place = self.origin.path / model.yaml
            if name.lower() not in known:
                self.remarks.append(Finding("", place, line, f"describes the column {name}, which {model.name} does not have"))
            others = column.keys() - {"name", "description", "tests", "data_tests", "data_type", "quote", "constraints"}
            if others and name.lower() in known:
                problem = f"{', '.join(sorted(others))} of the column {name} is not in the contract"
                self.remarks.append(Finding("", place, line, problem, "add it there by hand if readers need it"))

    def _finish(self, model: DbtModel, casts: Mapping[str, str], key: Sequence[str]) -> None:
        """Cast columns and order rows in the last line of a model, where that is `select * from …`."""
        path = self.copy.folder / model.file
        text = read_text(path).rstrip() + "\n"
        last = _LAST_SELECT.search(text)
        if last is None or _SET_OPERATION.search(text[: last.start()].rstrip()):
            if not _ORDERED.search(text):
                problem = "does not end with `order by` its key, so that the same rows may give other bytes"
                self.remarks.append(Finding("", self.origin.path / model.file, None, problem))
            return
        columns = [f"        cast({sql_name(name)} as {kind}) as {sql_name(name)}" for name, kind in casts.items()]
        order = ", ".join(map(sql_name, key)) or "all"
        lines = [last[0].strip()]
        if casts:
            lines = ["select", "    * replace (", *",\n".join(columns).split("\n"), "    )", f"from {last[2]}"]
        new = "".join(f"{last[1]}{line}\n" for line in (*lines, f"order by {order}"))
        path.write_text(text[: last.start()] + new, encoding="utf-8")
        changes = [f"columns are cast ({', '.join(casts)})"] * bool(casts) + [f"rows are ordered by {order}"]
        self.remarks.append(Finding("", self.copy.original_path(path), text.count("\n", 0, last.start()) + 1,
                                    f"{' and '.join(changes)}, so that the same rows give the same bytes"))  # fmt: skip


def take_over(
    context: Context, copy: MeshCopy, origin: Path, names: Mapping[str, str], ports: Sequence[str], sources: Sequence[str],
    csv: Sequence[str],
) -> TakenOver:  # fmt: skip
    """Make a data product from the dbt project in a folder, in the copy of a mesh.

    `names` are those of the owner and the domain in templates, `ports` the models that become ports (see `DbtOrigin.ports`),
    `sources` texts `SOURCE=FILE` or `SOURCE=PRODUCT.PORT`. Raises `KitError` with all that cannot be taken over.
    """
    project = DbtOrigin(origin)
    obstacles = project.read()
    chosen = project.ports(ports) if project.models else []
    obstacles += project.port_obstacles(chosen)
    if obstacles:
        raise refusal(project, obstacles)
    takeover = _Takeover(project, context.config.domains, context.mesh, copy, chosen)
    takeover.add_project()
    for path, text in templates.empty_product(names).items():
        write(copy.folder / path, text)
    takeover.add_sources(_given(sources), csv)
    for model in chosen:
        add_files(copy.folder, PortFiles(output=output_entry(copy.product, model.name, "dbt"), has_dbt=False))
    try:
        with TemporaryDirectory(prefix="kit-") as folder:
            unfinished = DataProduct.load_unfinished(copy.folder)
            takeover.materialize("table")
            made = preview_models(copy.config, unfinished, [model.name for model in chosen], Path(folder) / "first")
            takeover.add_contracts(made)
            takeover.materialize("published")
            changes = copy.changes()
            checks = preview_tests(copy.config, DataProduct.load(copy.folder), Path(folder) / "second")
    except KitError as error:
        error.problem = error.problem.replace(str(copy.folder), short(origin))
        raise
    takeover.remarks += project.kept_in_yaml()
    failing = tuple(check for check in checks if check.blocks)
    return TakenOver(changes, tuple(model.name for model in chosen), takeover.questions, tuple(takeover.remarks), failing)


def refusal(origin: DbtOrigin, obstacles: Sequence[Finding]) -> KitError:
    """The error that lists all that cannot be taken over."""
    lines = "\n  ".join(map(str, dict.fromkeys(obstacles)))
    return KitError(f"{short(origin.path)} cannot be taken over as it is; nothing was written:\n  {lines}")


def _given(sources: Sequence[str]) -> dict[str, str]:
    given = {}
    for text in sources:
        name, equals, origin = text.partition("=")
        if not (name and equals and origin):
            raise KitError(f"--source '{text}' is not SOURCE=FILE, nor SOURCE=PRODUCT.PORT")
        given[name] = origin
    return given


def _with_casts(file: Path, casts: Mapping[str, str]) -> Path:
    """Write rows with some columns in other types; return the file."""
    if not casts:
        return file
    target = file.with_suffix(".cast.parquet")
    columns = ", ".join(f"cast({database.quoted(name)} as {kind}) as {database.quoted(name)}" for name, kind in casts.items())
    with database.connect() as connection:
        database.add_views(connection, {"data": [file]})
        query = f"select * replace ({columns}) from data"
        connection.execute(f"copy ({query}) to {database.literal(str(target))} (format parquet)")
    return target
