"""The SQL of one data product with everything that each text refers to."""

import csv
from pathlib import Path

from kit.core import Config, KitError
from kit.dbt.compiler import statements
from kit.dbt.project import Project
from kit.dbt.renderer import CompiledStatement
from kit.lineage.sql import SqlReader, SqlReferences
from kit.lineage.sql_columns import TableColumns
from kit.mesh import RAW, DataProduct, Mesh

References = tuple[tuple[CompiledStatement, SqlReferences], ...]


def sql_references(config: Config, mesh: Mesh, product: DataProduct) -> References:
    """Each model, SQL test and hook of a product with its references; raises `TransformError` when dbt refuses the project.

    Columns are resolved through the models of the product, but not for hooks, nor when an input belongs to a broken product,
    whose last snapshot has columns that no contract states.
    """
    texts = statements(config, product)
    reader = SqlReader(config.cache / "sql" / product.name)
    models = {text.name: text for text in texts if text.kind == "model"}
    columns = _known_columns(mesh, product)
    read: dict[CompiledStatement, SqlReferences] = {}

    def read_statement(text: CompiledStatement) -> SqlReferences:
        if text not in read:
            read[text] = references = reader.read(text.sql, may_change=text.kind == "hook")  # also ends a circle of models
            if columns is not None and text.kind != "hook":
                read[text] = reader.read(text.sql, columns=columns_of(references.tables, columns))
        return read[text]

    def columns_of(tables: tuple[str, ...], known: TableColumns) -> TableColumns:
        made = {table: read_statement(models[table]).columns for table in tables if table in models}
        return {table: known[table] for table in tables if table in known} | {
            table: list(columns.origins) for table, columns in made.items() if columns
        }

    references = tuple((text, read_statement(text)) for text in texts)
    reader.save()
    return references


def _known_columns(mesh: Mesh, product: DataProduct) -> dict[str, list[str]] | None:
    """The columns of sources, inputs and seeds; None when those of an input are not known."""
    columns = {f"{RAW}.{source.name}": [column.name for column in source.contract.columns] for source in product.sources}
    for item in product.inputs:
        try:
            columns[item.name] = [column.name for column in mesh.port(item.port).contract.columns]
        except KitError:
            return None
    seeds = (model for model in Project.read(product.folder).models if model.path.suffix == ".csv")
    return columns | {seed.name: _header(seed.path) for seed in seeds}


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file), [])
