"""Lineage of tables: a graph from raw data to published ports, across all products."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from kit.dbt.project import Project
from kit.drawing import graph as drawing
from kit.mesh import RAW, DataProduct, Mesh


@dataclass(frozen=True)
class LineageNode:
    """One table on the way from raw data to a port.

    `id` is `PRODUCT.NAME`, or `PRODUCT.raw.SOURCE` for raw data; `kind` is source, model, port (made by a dbt model) or
    notebook (a port made by a notebook). `reads` are the ids of the tables it is made from.
    """

    id: str
    product: str
    kind: str
    description: str
    reads: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """Its name inside its product: `NAME` or `raw.SOURCE`."""
        return self.id.partition(".")[2]


def product_nodes(product: DataProduct, project: Project) -> tuple[LineageNode, ...]:
    """The tables of a product, each behind those of its own that it reads; `project` is its dbt project."""
    nodes = [
        LineageNode(f"{product.name}.{RAW}.{source.name}", product.name, "source", source.contract.description)
        for source in product.sources
    ]
    models = {model.name: model for model in project.models}
    own = {*models, *(port.name for port in product.ports), *(f"{RAW}.{source.name}" for source in product.sources)}
    inputs = {item.name: item.port for item in product.inputs}

    def node_id(table: str) -> str:
        """The id of the table that a model calls `table`."""
        return f"{product.name}.{table}" if table in own else inputs.get(table, table)

    ports = {port.name: port for port in product.ports}
    for model in models.values():
        if model.name not in ports:
            reads = tuple(map(node_id, model.reads))
            nodes.append(LineageNode(node_id(model.name), product.name, "model", model.description, reads))
    everything = (*(node.id for node in nodes if node.kind == "source"), *inputs.values())
    for port in product.ports:
        if port.notebook is not None:
            kind, reads = "notebook", tuple(item.port for item in port.reads)
        else:
            # A mart whose file cannot be found may read any of the inputs.
            kind, reads = "port", tuple(map(node_id, models[port.name].reads)) if port.name in models else everything
        nodes.append(LineageNode(port.id, product.name, kind, port.description, reads))
    return tuple(_providers_first(nodes))


def _providers_first(nodes: Iterable[LineageNode]) -> list[LineageNode]:
    """Nodes in their order, but none before a node that it reads."""
    by_id = {node.id: node for node in nodes}
    ordered: dict[str, LineageNode] = {}
    visited: set[str] = set()

    def add(node: LineageNode) -> None:
        if node.id not in visited:
            visited.add(node.id)  # before the others, for models that read each other
            for name in node.reads:
                if name in by_id:
                    add(by_id[name])
            ordered[node.id] = node

    for node in by_id.values():
        add(node)
    return list(ordered.values())


def lineage(mesh: Mesh) -> dict[str, LineageNode]:
    """Every node of the mesh by id, providers before consumers."""
    return {node.id: node for product in mesh.products for node in _remembered_nodes(mesh, product)}


def _remembered_nodes(mesh: Mesh, product: DataProduct) -> tuple[LineageNode, ...]:
    def nodes() -> tuple[LineageNode, ...]:
        return product_nodes(product, Project.read(product.folder))

    ports = [(item.name, item.port) for item in (*product.inputs, *(read for port in product.ports for read in port.reads))]
    return mesh.contents.remembered("lineage", product.folder, nodes, repr(ports))


def upstream(graph: dict[str, LineageNode], start: Iterable[str]) -> set[str]:
    """The ids of `start` and of all nodes these are made from, directly or through others."""
    return _reachable(start, lambda name: graph[name].reads if name in graph else ())


def downstream(graph: dict[str, LineageNode], start: Iterable[str]) -> set[str]:
    """The ids of `start` and of all nodes made from these, directly or through others."""
    readers: dict[str, list[str]] = {}
    for node in graph.values():
        for name in node.reads:
            readers.setdefault(name, []).append(node.id)
    return _reachable(start, lambda name: readers.get(name, ()))


def _reachable(start: Iterable[str], neighbours: Callable[[str], Iterable[str]]) -> set[str]:
    reached: set[str] = set()
    pending = list(start)
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += neighbours(name)
    return reached


def hide_nodes(graph: dict[str, LineageNode], hidden: Callable[[LineageNode], bool]) -> dict[str, LineageNode]:
    """The graph without the hidden nodes; a node that read one of them reads, instead, the visible nodes before it."""

    def visible(names: Iterable[str]) -> Iterator[str]:
        for name in names:
            if name in graph and hidden(graph[name]):
                yield from visible(graph[name].reads)
            else:
                yield name

    kept = (node for node in graph.values() if not hidden(node))
    return {node.id: replace(node, reads=tuple(dict.fromkeys(visible(node.reads)))) for node in kept}


def hide_models(graph: dict[str, LineageNode]) -> dict[str, LineageNode]:
    """The graph of sources and ports only."""
    return hide_nodes(graph, lambda node: node.kind == "model")


def lineage_svg(graph: dict[str, LineageNode], title: str) -> str:
    """The graph as SVG, framed by product, a sentence if it is empty. Ports of broken products, no nodes, are left out."""
    boxes = [drawing.GraphNode(node.id, node.table, node.product, node.kind) for node in graph.values()]
    edges = [(name, node.id) for node in graph.values() for name in node.reads if name in graph]
    return drawing.draw_graph(boxes, edges, title, notes=() if boxes else ("This mesh has no data product yet.",))
