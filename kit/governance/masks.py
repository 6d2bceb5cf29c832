"""Masks along the way of a column: none is masked twice, and `inherited` is true, as column lineage shows."""

from collections.abc import Iterator, Mapping

from kit.contracts import Column, Contract
from kit.core import Config, InvalidFile, Where, read_yaml
from kit.lineage import column_lineage
from kit.mesh import Mesh, OutputPort

_AT: Where = ["schema", 0, "properties"]


def problems(config: Config, mesh: Mesh) -> Iterator[tuple[str, str]]:
    """Columns masked twice, or not masked although they say so, as pairs of product name and message."""
    contracts = {source.contract.id: source.contract for product in mesh.products for source in product.sources}
    contracts |= {port.id: port.contract for port in mesh.ports}
    promised = {f"{key}.{column.name}": column for key, contract in contracts.items() for column in contract.columns}
    if not any(column.mask for column in promised.values()):
        return
    made = column_lineage(config, mesh)
    for product in mesh.products:
        for source in product.sources:
            for position, column in _inherited(source.contract):
                told = f"'{column.name}' is raw data, which nothing masked before; write hmac, drop or generalise"
                yield product.name, str(_error(source.contract, position, told))
        for port in product.ports:
            for position, column in enumerate(port.contract.columns):
                if column.mask is None or column.mask.kind not in ("inherited", "hmac"):
                    continue
                if port.notebook is None:
                    origins = _origins(f"{port.id}.{column.name}", product.name, promised, made)
                else:
                    origins = _namesakes(port, column, promised)
                if told := _told(column, origins):
                    yield product.name, str(_error(port.contract, position, told))


def _told(column: Column, origins: dict[str, Column] | None) -> str:
    """What is wrong with a mask; `origins` are the promised columns its values come from, None when that is not known."""
    assert column.mask is not None
    if column.mask.kind == "hmac":
        tokens = [name for name, origin in (origins or {}).items() if _is_token(origin)]
        twice = "tokens of tokens join with nothing; write inherited"
        return f"'{column.name}' comes from {tokens[0]}, which is masked already: {twice}" if tokens else ""
    if not origins:
        return f"it cannot be told where '{column.name}' comes from, so that nothing shows it is masked; mask it itself"
    plain = [name for name, origin in origins.items() if origin.mask is None]
    return f"'{column.name}' inherits no mask from {plain[0]}; mask it there, or mask this column itself" if plain else ""


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


def _error(contract: Contract, position: int, problem: str) -> InvalidFile:
    return read_yaml(contract.path).error([*_AT, position, "customProperties"], problem)
