"""What one port or column is made from and what is made from it, as a picture."""

from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from kit import columns
from kit.config import Config
from kit.drawing import Node, draw
from kit.errors import UnknownName
from kit.lineage import Node as Table
from kit.lineage import downstream, lineage, upstream, without
from kit.mesh import Mesh
from kit.picture import Picture

_MOST = 60
"""More boxes than that nobody reads: then a product beside the one looked at is one box."""


def of_mesh(mesh: Mesh, products: Iterable[str] | None = None) -> Picture:
    """The raw sources and ports of the mesh, or of the named products; in a large mesh one box per product."""
    chosen = set(products) if products is not None else {product.name for product in mesh.products}
    graph = {node.id: node for node in lineage(mesh).values() if node.product in chosen}
    graph = without(graph, lambda node: node.kind == "model")
    words = () if graph else ("There are no data products yet; CONTRIBUTING.md shows how to add one.",)
    return _picture(_tables(graph), _edges(graph), "From raw data to published ports", words)


def of_port(mesh: Mesh, port_id: str) -> Picture:
    """What `PRODUCT.PORT` is made from and what reads it, across products; of other products their ports only.

    Raises `UnknownName`, or `MeshError` when its product is broken.
    """
    mesh.port(port_id)
    own = port_id.partition(".")[0]
    graph = without(lineage(mesh), lambda node: node.product != own and node.kind in ("model", "source"))
    up, down = upstream(graph, [port_id]), downstream(graph, [port_id])
    near = {node.id: node for node in graph.values() if node.id in up | down}
    lost = sorted(up - near.keys())
    words = [f"Left out, since the product is in error: {', '.join(lost)}."] if lost else []
    words += [] if len(down) > 1 else [f"Nothing in the mesh reads {port_id}."]
    title = f"What {port_id} is made from, and what reads it"
    return _picture(_tables(near, port_id), _edges(near), title, tuple(words), own)


def of_column(config: Config, mesh: Mesh, port_id: str, column: str) -> Picture:
    """The columns that a column of `PRODUCT.PORT` is made from, and those and the notebooks that are made from it.

    Of other products only raw data and ports are shown. What cannot be told is said below the picture. Raises
    `UnknownName`, or `MeshError` when the product is broken.
    """
    known = [item.name for item in mesh.port(port_id).contract.columns]
    if column not in known:
        like = get_close_matches(column, known, n=3)
        hint = f"did you mean {' or '.join(like)}?" if like else f"it has: {', '.join(known)}"
        raise UnknownName(f"'{port_id}' has no column '{column}'; {hint}")
    own, start = port_id.partition(".")[0], f"{port_id}.{column}"
    around = mesh.select([port_id], upstream=True, downstream=True)
    made = columns.lineage(config, mesh, around)
    kinds = {node.id: node.kind for node in lineage(mesh).values()}
    names = dict.fromkeys((start, *made, *(name for origins in made.values() for name in origins)))
    graph = {name: _column(name, kinds, made.get(name, ())) for name in names}
    graph = without(graph, lambda node: node.product != own and node.kind == "model")
    down = downstream(graph, [start])
    near = {name: node for name, node in graph.items() if name in upstream(graph, [start]) | down}
    readers = _notebooks(mesh, down)
    words = list(_untold(port_id, start, made, kinds))
    words += [] if len(down) > 1 or readers else [f"Nothing in the mesh is known to be made from {start}."]
    boxes = [_column_box(node, focus=name == start) for name, node in near.items()]
    title = f"What {start} is made from, and what is made from it"
    return _picture([*boxes, *_tables(readers)], _edges(near | readers), title, tuple(words), own, "column")


def _column(name: str, kinds: Mapping[str, str], origins: tuple[str, ...]) -> Table:
    table, _, _ = name.rpartition(".")
    # What the graph does not know is a port of a broken product.
    return Table(name, name.partition(".")[0], kinds.get(table, "port"), "", origins)


def _untold(port_id: str, start: str, made: Mapping[str, tuple[str, ...]], kinds: Mapping[str, str]) -> Iterable[str]:
    if kinds.get(port_id) == "notebook":
        yield f"{port_id} is made by a notebook; what its columns are made from stands in its code only."
    elif start not in made:
        yield f"The SQL of {port_id} cannot be taken apart; what {start} is made from stands in its model only."
    elif not made[start]:
        yield f"{start} is made from no column: it is a constant or counts rows."


def _notebooks(mesh: Mesh, names: set[str]) -> dict[str, Table]:
    """The ports whose notebooks read one of the columns, as far as its code tells."""
    found: dict[str, Table] = {}
    for port in mesh.ports:
        reads: list[str] = []
        for item in port.reads:
            used = sorted(name for name in names if name.rpartition(".")[0] == item.port)
            if port.notebook and used:
                told = columns.named(port.notebook, [column.name for column in mesh.port(item.port).contract.columns])
                reads += [name for name in used if told is None or name.rpartition(".")[2] in told]
        if reads:
            found[port.id] = Table(port.id, port.id.partition(".")[0], "notebook", "", tuple(reads))
    return found


def _tables(graph: Mapping[str, Table], focus: str = "") -> list[Node]:
    return [Node(name, node.table, node.product, node.kind, focus=name == focus) for name, node in graph.items()]


def _column_box(node: Table, *, focus: bool) -> Node:
    table, _, column = node.table.rpartition(".")
    return Node(node.id, column, node.product, node.kind, table, focus)


def _edges(graph: Mapping[str, Table]) -> list[tuple[str, str]]:
    return [(name, node.id) for node in graph.values() for name in node.reads if name in graph]


def _picture(
    boxes: list[Node], edges: list[tuple[str, str]], title: str, words: tuple[str, ...], own: str = "", unit: str = "port"
) -> Picture:
    """The boxes and edges; when there are too many, each product but `own` as one box that counts its units."""
    ids = {box.id: box.id if len(boxes) <= _MOST or box.group == own else box.group for box in boxes}
    counts = Counter(box.group for box in boxes if box.kind != "source")
    kept = {box.id: box for box in boxes if ids[box.id] == box.id}
    kept |= {
        group: Node(group, group, group, "port", f"{counts[group]} {unit}{'s' * (counts[group] != 1)}")
        for group in sorted(set(ids.values()) - kept.keys())
    }
    between = sorted({(ids[source], ids[target]) for source, target in edges if ids[source] != ids[target]})
    told = "; ".join(" → ".join(edge) for edge in between[:_MOST])
    return Picture(draw(list(kept.values()), between, title, words=words), " ".join([f"{title}: {told or 'nothing'}.", *words]))
