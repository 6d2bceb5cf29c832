"""Masks along the way of a column: none is masked twice, and `inherited` is true, as column lineage shows."""

from collections.abc import Iterator, Mapping

from kit.contracts import Column, Contract, Finding
from kit.core import Config, Where, read_yaml
from kit.lineage import column_lineage
from kit.mesh import DataProduct, Mesh, OutputPort

_AT: Where = ["schema", 0, "properties"]


def check_masks(config: Config, mesh: Mesh) -> Iterator[Finding]:
    """Find columns that are masked twice, and those declared `inherited` whose origins are not masked."""
    contracts = {source.contract.id: source.contract for product in mesh.products for source in product.sources}
    contracts |= {port.id: port.contract for port in mesh.ports}
    promised = {f"{key}.{column.name}": column for key, contract in contracts.items() for column in contract.columns}
    if not any(column.mask for column in promised.values()):
        return
    made = column_lineage(config, mesh)
    for product in mesh.products:
        for source in product.sources:
            for position, column in _inherited(source.contract):
                message = f"'{column.name}' is raw data, which nothing masked before"
                yield _finding(product, source.contract, position, message, "write hmac, drop or generalise")
        for port in product.ports:
            for position, column in enumerate(port.contract.columns):
                if column.mask is None or column.mask.kind not in ("inherited", "hmac"):
                    continue
                if port.notebook is None:
                    origins = _origins(f"{port.id}.{column.name}", product.name, promised, made)
                else:
                    origins = _namesakes(port, column, promised)
                if problem := _problem(column, origins):
                    yield _finding(product, port.contract, position, *problem)


def _problem(column: Column, origins: dict[str, Column] | None) -> tuple[str, str] | None:
    """The message and the fix for a mask that is wrong; None for one that is right.

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
    plain = [name for name, origin in origins.items() if origin.mask is None]
    if plain:
        return f"'{column.name}' inherits no mask from {plain[0]}", "mask it there, or mask this column itself"
    return None


def _is_token(column: Column) -> bool:
    return column.mask is not None and column.mask.kind in ("hmac", "inherited")


def _origins(
    column: str, product: str, promised: Mapping[str, Column], made: Mapping[str, tuple[str, ...]]
) -> dict[str, Column] | None:
    """The nearest columns of sources and other products' ports that a column is made from, through the product's own models.

    A port of the product itself is gone through as well: its mask works at publish, after all models. None when a part
    of the way is not known.
    """
    found: dict[str, Column] = {}
    todo, seen = [column], {column}
    while todo:
        name = todo.pop()
        if name not in made:
            return None
        for origin in made[name]:
            if origin in promised and (not origin.startswith(f"{product}.") or origin.startswith(f"{product}.raw.")):
                found[origin] = promised[origin]
            elif origin not in seen:
                seen.add(origin)
                todo.append(origin)
    return found


def _namesakes(port: OutputPort, column: Column, promised: Mapping[str, Column]) -> dict[str, Column]:
    """The columns of that name in the ports of other products a notebook reads; more is not known of a notebook."""
    product = port.id.partition(".")[0]
    names = [f"{item.port}.{column.name}" for item in port.reads if item.product != product]
    return {name: promised[name] for name in names if name in promised}


def _inherited(contract: Contract) -> list[tuple[int, Column]]:
    return [(i, column) for i, column in enumerate(contract.columns) if column.mask and column.mask.kind == "inherited"]


def _finding(product: DataProduct, contract: Contract, position: int, message: str, fix: str) -> Finding:
    error = read_yaml(contract.path).error([*_AT, position, "customProperties"], message)
    return Finding.from_error(product.name, error, fix)
