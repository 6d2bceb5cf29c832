"""Lineage of columns, and the columns of each port that its consumers use."""

from collections.abc import Iterable
from typing import NamedTuple

from kit.contracts import foreign_key_checks
from kit.core import KitError
from kit.lineage.product_sql import column_references
from kit.lineage.python import notebook_columns
from kit.lineage.sql_columns import How
from kit.mesh import Context, DataProduct


class Flow(NamedTuple):
    """A column that another one is directly made from, and how."""

    origin: str
    how: How


def column_lineage(context: Context, products: Iterable[DataProduct] | None = None) -> dict[str, tuple[str, ...]]:
    """The columns that each column of a dbt model is directly made from, see `column_flows`."""
    return {name: tuple(flow.origin for flow in flows) for name, flows in column_flows(context, products).items()}


def column_flows(context: Context, products: Iterable[DataProduct] | None = None) -> dict[str, tuple[Flow, ...]]:
    """The columns that each column of a dbt model is directly made from, and how; none for a constant or a count of rows.

    Ids are `PRODUCT.TABLE.COLUMN`, where the table of raw data is `raw.SOURCE`. Columns of notebook ports, and of models
    whose columns cannot be resolved, are left out. `products` limits whose models are read.
    """
    lineage: dict[str, tuple[Flow, ...]] = {}
    for product in context.mesh.products if products is None else products:
        ports = {item.name: item.port for item in product.inputs}
        try:
            references = column_references(context, product)
        except KitError:
            continue
        for text, read in references.items():
            if text.kind == "model" and read.columns is not None:
                for column, origins in read.columns.origins.items():
                    ids = [f"{ports.get(table) or f'{product.name}.{table}'}.{origin}" for table, origin in origins]
                    flows = zip(ids, read.columns.how[column], strict=True)
                    lineage[f"{product.name}.{text.name}.{column}"] = tuple(Flow(*flow) for flow in flows)
    return lineage


def column_use(context: Context) -> dict[str, dict[str, frozenset[str] | None]]:
    """For each port the columns that every product reading it uses, by consumer; None where they are not known: all of them.

    A column counts as used where a model, test, foreign key or notebook names it, and where `select *` passes it on to a model.
    """
    use: dict[str, dict[str, frozenset[str] | None]] = {port.id: {} for port in context.mesh.ports}
    for product in context.mesh.products:
        try:
            queries = [read.columns for read in column_references(context, product).values()]
        except KitError:
            queries = [None]
        contracts = [source.contract for source in product.sources] + [port.contract for port in product.ports]
        for item in product.inputs:
            if item.port in use:
                columns = [column.name for column in context.mesh.port(item.port).contract.columns]
                parts = [{column for table, column in query.used if table == item.name} if query else None for query in queries]
                parts.append(foreign_key_checks.referred_columns(contracts, item.name))
                for port in product.ports:
                    if port.notebook is not None and item.port in (read.port for read in port.reads):
                        parts.append(notebook_columns(port.notebook, columns))
                known = [part for part in parts if part is not None]
                use[item.port][product.name] = frozenset().union(*known) if len(known) == len(parts) else None
    return use
