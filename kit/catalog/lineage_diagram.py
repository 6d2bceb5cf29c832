"""What one port or column is made from and what is made from it, as a picture."""

from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from kit.core import Config, UnknownName
from kit.drawing import Node, Picture, draw_graph
from kit.lineage import Node as Table
from kit.lineage import columns, downstream, lineage, upstream, without
from kit.mesh import Mesh

_MOST = 60
"""More boxes than that nobody reads: then a product beside the one looked at is one box."""


def of_mesh(mesh: Mesh, products: Iterable[str] | None = None) -> Picture:
    """The raw sources and ports of the mesh, or of the named products; in a large mesh one box per product."""
    chosen = set(products) if products is not None else set(mesh.names)
    graph = {node.id: node for node in lineage(mesh).values() if node.product in chosen}
    graph = without(graph, lambda node: node.kind == "model")
    lost = [item.name for item in mesh.broken if item.name in chosen]
    words = [f"Left out, since they are in error: {', '.join(lost)}."] if lost else []
    words += [] if graph or lost else ["There are no data products yet; CONTRIBUTING.md shows how to add one."]
    return _picture(_tables(graph), _edges(graph), "From raw data to published ports", tuple(words))


def of_product(graph: dict[str, Table], product: str) -> Picture:
    """All that a product is made of, the ports it reads, and those that are made from its own; `graph` is of the mesh."""
    graph = without(graph, lambda node: node.product != product and node.kind in ("model", "source"))
    own = {node.id for node in graph.values() if node.product == product}
    inputs = {name for name in own for name in graph[name].reads}
    near = {node.id: node for node in graph.values() if node.id in own | inputs or own.intersection(node.reads)}
    edges = [edge for edge in _edges(near) if not own.isdisjoint(edge)]
    return _picture(_tables(near), edges, f"What {product} is made of, and what reads it", (), product)


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
    up, down = upstream(graph, [start]), downstream(graph, [start])
    near = {name: node for name, node in graph.items() if name in up | down}
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
    """The boxes and edges; when there are too many, each product but `own` is one box, and of these only so many stay."""
    if len(boxes) > _MOST:
        boxes, edges, words = _folded(boxes, edges, words, own, unit)
    told = "; ".join(" → ".join(edge) for edge in sorted(edges)[:_MOST])
    return Picture(draw_graph(boxes, edges, title, words=words), " ".join([f"{title}: {told or 'nothing'}.", *words]))


def _folded(
    boxes: list[Node], edges: list[tuple[str, str]], words: tuple[str, ...], own: str, unit: str
) -> tuple[list[Node], list[tuple[str, str]], tuple[str, ...]]:
    ids = {box.id: box.id if box.group == own else box.group for box in boxes}
    edges = sorted({(ids[source], ids[target]) for source, target in edges if ids[source] != ids[target]})
    counts = Counter(box.group for box in boxes if box.kind != "source")
    mine = [box for box in boxes if box.group == own]
    far, degrees = _distances([box.id for box in mine], edges), Counter(name for edge in edges for name in edge)
    others = sorted(counts.keys() - {own}, key=lambda name: (far.get(name, 0), -degrees[name], name))
    if len(others) > _MOST:
        choice = "nearest of" if own else "products with the most inputs and readers of"
        shown = f"Shown are the {_MOST} {choice} {len(others):,} products"
        words = (*words, f'{shown}; cat.lineage("PRODUCT.PORT") shows what stands around a port.')
        others = others[:_MOST]
    parts = [Node(name, f"{counts[name]} {unit}{'s' * (counts[name] != 1)}", name, "port") for name in sorted(others)]
    there = {box.id for box in (*mine, *parts)}
    return [*mine, *parts], [edge for edge in edges if there.issuperset(edge)], words


def _distances(start: Iterable[str], edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """How many edges lie between each name and the nearest of `start`, whichever way they run."""
    near: dict[str, set[str]] = {}
    for source, target in edges:
        near.setdefault(source, set()).add(target)
        near.setdefault(target, set()).add(source)
    far = dict.fromkeys(start, 0)
    todo = list(far)
    for name in todo:
        for other in sorted(near.get(name, ())):
            if other not in far:
                far[other] = far[name] + 1
                todo.append(other)
    return far
