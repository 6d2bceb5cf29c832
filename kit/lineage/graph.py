"""What is made from what, from raw file to port, across all products."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from kit.dbt.project import Project
from kit.drawing import graph as drawing
from kit.mesh import RAW, DataProduct, Mesh


@dataclass(frozen=True)
class Node:
    """One table on the way from raw data to a port.

    `id` is `PRODUCT.NAME`, or `PRODUCT.raw.SOURCE` for raw data; `kind` is source, model, port (made by a dbt model) or
    notebook (a port made by a notebook). `reads` are the ids of what it is made from.
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


def nodes(product: DataProduct, project: Project) -> tuple[Node, ...]:
    """What a product is made of, raw sources first; `project` is its dbt project."""
    found = [
        Node(f"{product.name}.{RAW}.{source.name}", product.name, "source", source.contract.description)
        for source in product.sources
    ]
    models = {model.name: model for model in project.models}
    known = {*models, *(port.name for port in product.ports), *(f"{RAW}.{source.name}" for source in product.sources)}

    served = {item.name: item.port for item in product.inputs}

    def node(table: str) -> str:
        """The id of what a model calls `table`."""
        return f"{product.name}.{table}" if table in known else served.get(table, table)

    ports = {port.name: port for port in product.ports}
    for model in models.values():
        if model.name not in ports:
            reads = tuple(node(table) for table in model.reads)
            found.append(Node(node(model.name), product.name, "model", model.description, reads))
    inputs = (*(f"{product.name}.{RAW}.{source.name}" for source in product.sources), *(item.port for item in product.inputs))
    for port in product.ports:
        if port.notebook is not None:
            found.append(Node(port.id, product.name, "notebook", port.description, tuple(item.port for item in port.reads)))
            continue
        # A mart whose file cannot be found may read any of the inputs.
        reads = tuple(node(table) for table in models[port.name].reads) if port.name in models else inputs
        found.append(Node(port.id, product.name, "port", port.description, reads))
    return tuple(found)


def lineage(mesh: Mesh) -> dict[str, Node]:
    """Every node of the mesh by id, providers before consumers."""
    return {node.id: node for product in mesh.products for node in nodes(product, Project.read(product.folder))}


def upstream(graph: dict[str, Node], start: Iterable[str]) -> set[str]:
    """The ids of all that `start` is made from, itself included."""
    return _reached(start, lambda name: graph[name].reads if name in graph else ())


def downstream(graph: dict[str, Node], start: Iterable[str]) -> set[str]:
    """The ids of all that is made from `start`, itself included."""
    readers: dict[str, list[str]] = {}
    for node in graph.values():
        for name in node.reads:
            readers.setdefault(name, []).append(node.id)
    return _reached(start, lambda name: readers.get(name, ()))


def _reached(start: Iterable[str], beside: Callable[[str], Iterable[str]]) -> set[str]:
    found: set[str] = set()
    todo = list(start)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += beside(name)
    return found


def without(graph: dict[str, Node], hidden: Callable[[Node], bool]) -> dict[str, Node]:
    """The graph without the hidden nodes; the others read what they read through these."""

    def through(names: Iterable[str]) -> Iterator[str]:
        for name in names:
            if name in graph and hidden(graph[name]):
                yield from through(graph[name].reads)
            else:
                yield name

    kept = (node for node in graph.values() if not hidden(node))
    return {node.id: replace(node, reads=tuple(dict.fromkeys(through(node.reads)))) for node in kept}


def without_models(graph: dict[str, Node]) -> dict[str, Node]:
    """Sources and ports only."""
    return without(graph, lambda node: node.kind == "model")


def picture(graph: dict[str, Node], title: str) -> str:
    """The graph as SVG, framed by product. What a product in error would have offered is left out."""
    boxes = [drawing.GraphNode(node.id, node.table, node.product, node.kind) for node in graph.values()]
    edges = [(name, node.id) for node in graph.values() for name in node.reads if name in graph]
    return drawing.draw_graph(boxes, edges, title)
