"""The lineage of columns in Dagster's terms, so that its pages follow a column from domain to domain."""

import dagster as dg

from kit.lineage import column_lineage
from kit.mesh import Context, DataProduct
from kit.orchestration.asset_specs import asset_key


def column_deps(context: Context, product: DataProduct) -> dict[dg.AssetKey, dg.TableColumnLineage]:
    """Return, for each asset of a product, the columns that each of its columns is directly made from, as far as SQL says."""
    found: dict[dg.AssetKey, dict[str, list[dg.TableColumnDep]]] = {}
    for name, origins in column_lineage(context, [product]).items():
        table, _, column = name.rpartition(".")
        deps = [dg.TableColumnDep(asset_key(origin.rpartition(".")[0]), origin.rpartition(".")[2]) for origin in origins]
        found.setdefault(asset_key(table), {})[column] = deps
    return {key: dg.TableColumnLineage(columns) for key, columns in found.items()}
