"""Lineage as pictures: of the mesh, a product, a port or a column."""

from collections import Counter
from collections.abc import Iterable, Mapping

from kit.core import UnknownName, counted, there_are
from kit.drawing import GraphNode, Picture, draw_graph
from kit.lineage import LineageNode, column_lineage, downstream, hide_models, hide_nodes, lineage, notebook_columns, upstream
from kit.mesh import Context, Mesh

_MAX_BOXES = 60
"""The number of boxes in a picture; in a larger one, each other product is one box."""


def draw_mesh(mesh: Mesh, products: Iterable[str] | None = None) -> Picture:
    """Draw the raw sources and ports of the mesh, or of the named products; a large mesh has one box per product."""
    selected = set(products) if products is not None else set(mesh.names)
    graph = {node.id: node for node in lineage(mesh).values() if node.product in selected}
    graph = hide_models(graph)
    broken = [item.name for item in mesh.broken if item.name in selected]
    notes = [f"Without products in error: {', '.join(broken)}."] if broken else []
    notes += [] if graph or broken else ["There are no data products yet; domains/README.md shows how to add one."]
    return _picture(_boxes(graph), _edges(graph), "From raw data to published ports", tuple(notes))


def draw_product(graph: dict[str, LineageNode], product: str) -> Picture:
    """Draw a product with the ports it reads and the ports that read it; `graph` is the lineage of the mesh."""
    graph = hide_nodes(graph, lambda node: node.product != product and node.kind in ("model", "source"))
    own = {node.id for node in graph.values() if node.product == product}
    inputs = {name for name in own for name in graph[name].reads}
    near = {node.id: node for node in graph.values() if node.id in own | inputs or own.intersection(node.reads)}
    edges = [edge for edge in _edges(near) if not own.isdisjoint(edge)]
    return _picture(_boxes(near), edges, f"Lineage of {product}", (), product)


def draw_port(mesh: Mesh, port_id: str) -> Picture:
    """Draw everything upstream and downstream of `PRODUCT.PORT`; of other products the ports only.

    Raises `UnknownName`, or `MeshError` when its product is broken.
    """
    mesh.port(port_id)
    own = port_id.partition(".")[0]
    graph = hide_nodes(lineage(mesh), lambda node: node.product != own and node.kind in ("model", "source"))
    up, down = upstream(graph, [port_id]), downstream(graph, [port_id])
    near = {node.id: node for node in graph.values() if node.id in up | down}
    broken = sorted(up - near.keys())
    notes = [f"Without ports of products in error: {', '.join(broken)}."] if broken else []
    notes += [] if len(down) > 1 else [f"Nothing in the mesh reads {port_id}."]
    return _picture(_boxes(near, port_id), _edges(near), f"Lineage of {port_id}", tuple(notes), own)


def draw_column(context: Context, port_id: str, column: str) -> Picture:
    """Draw the columns upstream and the columns and notebooks downstream of a column of `PRODUCT.PORT`.

    Of other products it shows raw data and ports only. Notes below the picture name what is unknown. Raises `UnknownName`,
    or `MeshError` when the product is broken.
    """
    known = [item.name for item in context.mesh.port(port_id).contract.columns]
    if column not in known:
        raise UnknownName(f"'{port_id}' has no column '{column}'; {there_are(column, known)}")
    own, start = port_id.partition(".")[0], f"{port_id}.{column}"
    products = context.mesh.select([port_id], upstream=True, downstream=True)
    made = column_lineage(context, products)
    kinds = {node.id: node.kind for node in lineage(context.mesh).values()}
    names = dict.fromkeys((start, *made, *(name for origins in made.values() for name in origins)))
    graph = {name: _column(name, kinds, made.get(name, ())) for name in names}
    graph = hide_nodes(graph, lambda node: node.product != own and node.kind == "model")
    up, down = upstream(graph, [start]), downstream(graph, [start])
    near = {name: node for name, node in graph.items() if name in up | down}
    readers = _notebooks(context.mesh, down)
    notes = list(_gaps(port_id, start, made, kinds))
    notes += [] if len(down) > 1 or readers else [f"Nothing in the mesh is known to be made from {start}."]
    boxes = [_column_box(node, focus=name == start) for name, node in near.items()]
    return _picture([*boxes, *_boxes(readers)], _edges(near | readers), f"Lineage of {start}", tuple(notes), own, "column")


def _column(name: str, kinds: Mapping[str, str], origins: tuple[str, ...]) -> LineageNode:
    table, _, _ = name.rpartition(".")
    # A table that the graph does not contain is a port of a broken product.
    return LineageNode(name, name.partition(".")[0], kinds.get(table, "port"), "", origins)


def _gaps(port_id: str, start: str, made: Mapping[str, tuple[str, ...]], kinds: Mapping[str, str]) -> Iterable[str]:
    if kinds.get(port_id) == "notebook":
        yield f"A notebook makes {port_id}; the origin of its columns is known from its code only."
    elif start not in made:
        yield f"The SQL of {port_id} cannot be analysed; the origin of {start} is known from its model only."
    elif not made[start]:
        yield f"{start} is not made from any column: it is a constant or counts rows."


def _notebooks(mesh: Mesh, names: set[str]) -> dict[str, LineageNode]:
    """Return the ports whose notebooks read one of the columns, or may read it."""
    readers: dict[str, LineageNode] = {}
    for port in mesh.ports:
        reads: list[str] = []
        for item in port.reads:
            used = sorted(name for name in names if name.rpartition(".")[0] == item.port)
            if port.notebook and used:
                named = notebook_columns(port.notebook, [column.name for column in mesh.port(item.port).contract.columns])
                reads += [name for name in used if named is None or name.rpartition(".")[2] in named]
        if reads:
            readers[port.id] = LineageNode(port.id, port.id.partition(".")[0], "notebook", "", tuple(reads))
    return readers


def _boxes(graph: Mapping[str, LineageNode], focus: str = "") -> list[GraphNode]:
    return [GraphNode(name, node.table, node.product, node.kind, focus=name == focus) for name, node in graph.items()]


def _column_box(node: LineageNode, *, focus: bool) -> GraphNode:
    table, _, column = node.table.rpartition(".")
    return GraphNode(node.id, column, node.product, node.kind, table, focus)


def _edges(graph: Mapping[str, LineageNode]) -> list[tuple[str, str]]:
    return [(name, node.id) for node in graph.values() for name in node.reads if name in graph]


def _picture(
    boxes: list[GraphNode], edges: list[tuple[str, str]], title: str, notes: tuple[str, ...], own: str = "", unit: str = "port"
) -> Picture:
    """Return the picture; with too many boxes, each product except `own` is one box, of which `_MAX_BOXES` are drawn."""
    if len(boxes) > _MAX_BOXES:
        boxes, edges, notes = _folded(boxes, edges, notes, own, unit)
    listed = "; ".join(" → ".join(edge) for edge in sorted(edges)[:_MAX_BOXES])
    return Picture(draw_graph(boxes, edges, title, notes=notes), " ".join([f"{title}: {listed or 'nothing'}.", *notes]))


def _folded(
    boxes: list[GraphNode], edges: list[tuple[str, str]], notes: tuple[str, ...], own: str, unit: str
) -> tuple[list[GraphNode], list[tuple[str, str]], tuple[str, ...]]:
    ids = {box.id: box.id if box.group == own else box.group for box in boxes}
    edges = sorted({(ids[source], ids[target]) for source, target in edges if ids[source] != ids[target]})
    counts = Counter(box.group for box in boxes if box.kind != "source")
    unfolded = [box for box in boxes if box.group == own]
    distances, degrees = _distances([box.id for box in unfolded], edges), Counter(name for edge in edges for name in edge)
    others = sorted(counts.keys() - {own}, key=lambda name: (distances.get(name, 0), -degrees[name], name))
    if len(others) > _MAX_BOXES:
        choice = "nearest of" if own else "products with the most inputs and readers of"
        shown = f"Shown are the {_MAX_BOXES} {choice} {len(others):,} products"
        notes = (*notes, f'{shown}; cat.lineage("PRODUCT.PORT") draws the lineage of a port.')
        others = others[:_MAX_BOXES]
    folded = [GraphNode(name, counted(counts[name], unit), name, "port") for name in sorted(others)]
    shown_ids = {box.id for box in (*unfolded, *folded)}
    return [*unfolded, *folded], [edge for edge in edges if shown_ids.issuperset(edge)], notes


def _distances(start: Iterable[str], edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Return the number of edges, in any direction, between each name and the nearest of `start`."""
    neighbours: dict[str, set[str]] = {}
    for source, target in edges:
        neighbours.setdefault(source, set()).add(target)
        neighbours.setdefault(target, set()).add(source)
    distances = dict.fromkeys(start, 0)
    queue = list(distances)
    for name in queue:
        for other in sorted(neighbours.get(name, ())):
            if other not in distances:
                distances[other] = distances[name] + 1
                queue.append(other)
    return distances
