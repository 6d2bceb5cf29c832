"""The SQL of one data product with everything that each text refers to."""

import csv
from pathlib import Path

from kit.core import Config, KitError
from kit.dbt.compiler import statements
from kit.dbt.project import Project
from kit.dbt.renderer import CompiledStatement
from kit.lineage.sql import SqlReader, SqlReferences
from kit.mesh import RAW, Context, DataProduct, Mesh

References = dict[CompiledStatement, SqlReferences]


def sql_references(config: Config, product: DataProduct) -> References:
    """Each model, SQL test and hook of a product with the tables it reads; raises `TransformError` when dbt refuses it."""
    reader = SqlReader(config.cache / "sql" / product.name)
    references = {text: reader.read(text.sql, may_change=text.kind == "hook") for text in statements(config, product)}
    reader.save()
    return references


def column_references(context: Context, product: DataProduct) -> References:
    """Each model and SQL test of a product with the columns it reads, resolved through its models; raises as `sql_references`.

    No columns are known when an input belongs to a broken product, whose last snapshot has columns that no contract states.
    """
    queries = {text: read for text, read in sql_references(context.config, product).items() if text.kind != "hook"}
    columns = _known_columns(context.mesh, product)
    if columns is None:
        return queries
    reader = SqlReader(context.config.cache / "columns" / product.name)
    models = {text.name: text for text in queries if text.kind == "model"}
    references: References = {}

    def resolve(text: CompiledStatement) -> SqlReferences:
        if text not in references:
            references[text] = queries[text]  # for models that read each other
            made = {table: resolve(models[table]).columns for table in queries[text].tables if table in models}
            known = {table: columns[table] for table in queries[text].tables if table in columns}
            known |= {table: list(model.origins) for table, model in made.items() if model}
            references[text] = reader.read(text.sql, columns=known)
        return references[text]

    for text in queries:
        resolve(text)
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
