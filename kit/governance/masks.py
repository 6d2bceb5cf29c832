"""Masks across products: no column is masked twice, `inherited` columns come from masked ones, all keys are one."""

from collections.abc import Iterator, Mapping

from kit.contracts import Column, Contract, Finding
from kit.core import Where, read_yaml
from kit.lineage import column_lineage
from kit.mesh import Context, DataProduct, OutputPort
from kit.storage import Store, mask_key_problems

_AT: Where = ["schema", 0, "properties"]


def check_masks(context: Context) -> Iterator[Finding]:
    """Find columns that are masked twice, and those declared `inherited` whose origins are not masked."""
    contracts = {source.contract.id: source.contract for product in context.mesh.products for source in product.sources}
    contracts |= {port.id: port.contract for port in context.mesh.ports}
    columns = {f"{key}.{column.name}": column for key, contract in contracts.items() for column in contract.columns}
    if not any(column.mask for column in columns.values()):
        return
    lineage = column_lineage(context)
    for product in context.mesh.products:
        for source in product.sources:
            for position, column in _inherited(source.contract):
                message = f"'{column.name}' is raw data, which has no earlier mask"
                yield _finding(product, source.contract, position, message, "write hmac, drop or generalise")
        for port in product.ports:
            for position, column in enumerate(port.contract.columns):
                if column.mask is None or column.mask.kind not in ("inherited", "hmac"):
                    continue
                if port.notebook is None:
                    origins = _origins(f"{port.id}.{column.name}", product.name, columns, lineage)
                else:
                    origins = _namesakes(port, column, columns)
                if problem := _problem(column, origins):
                    yield _finding(product, port.contract, position, *problem)


def check_keys(context: Context) -> Iterator[Finding]:
    """Find the products whose current snapshot was masked with another key than those of others."""
    problems = mask_key_problems(Store(context.config.storage), (product.name for product in context.mesh.products))
    for product, (message, fix) in problems.items():
        yield Finding(product, None, None, message, fix)


def _problem(column: Column, origins: dict[str, Column] | None) -> tuple[str, str] | None:
    """Return the message and the fix for a wrong mask; None for a right one.

    `origins` are the columns of contracts that its values come from, None when they are not known.
    """
    if column.mask is not None and column.mask.kind == "hmac":
        tokens = [name for name, origin in (origins or {}).items() if _is_token(origin)]
        if tokens:
            message = f"'{column.name}' comes from {tokens[0]}, which is masked already: tokens of tokens join with nothing"
            return message, "write inherited"
        return None
    if not origins:
        return f"the origin of '{column.name}' is not known, so nothing shows that it is masked", "mask it itself"
    unmasked = [name for name, origin in origins.items() if origin.mask is None]
    if unmasked:
        return f"'{column.name}' inherits no mask from {unmasked[0]}", "mask it there, or mask this column itself"
    return None


def _is_token(column: Column) -> bool:
    return column.mask is not None and column.mask.kind in ("hmac", "inherited")


def _origins(
    column: str, product: str, columns: Mapping[str, Column], lineage: Mapping[str, tuple[str, ...]]
) -> dict[str, Column] | None:
    """Return the nearest columns of sources and other products' ports that a column of a model is made from.

    Ports of the same product are passed: their masks are applied when they are published, after all models. None when
    the lineage is not known completely.
    """
    origins: dict[str, Column] = {}
    todo, seen = [column], {column}
    while todo:
        name = todo.pop()
        if name not in lineage:
            return None
        for origin in lineage[name]:
            if origin in columns and (not origin.startswith(f"{product}.") or origin.startswith(f"{product}.raw.")):
                origins[origin] = columns[origin]
            elif origin not in seen:
                seen.add(origin)
                todo.append(origin)
    return origins


def _namesakes(port: OutputPort, column: Column, columns: Mapping[str, Column]) -> dict[str, Column]:
    """Return the columns of the same name in the ports of other products that a notebook reads; more is not known."""
    product = port.id.partition(".")[0]
    names = [f"{item.port}.{column.name}" for item in port.reads if item.product != product]
    return {name: columns[name] for name in names if name in columns}


def _inherited(contract: Contract) -> list[tuple[int, Column]]:
    return [(i, column) for i, column in enumerate(contract.columns) if column.mask and column.mask.kind == "inherited"]


def _finding(product: DataProduct, contract: Contract, position: int, message: str, fix: str) -> Finding:
    error = read_yaml(contract.path).error([*_AT, position, "customProperties"], message)
    return Finding.from_error(product.name, error, fix)
