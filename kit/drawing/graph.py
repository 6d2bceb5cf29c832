"""Layered graphs as SVG: boxes by kind, framed by group, for light and dark themes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil

from kit.core import KitError
from kit.drawing.canvas import SIZE, SMALL, label, number, svg_document, text_width, truncate
from kit.drawing.graph_layout import FRAME, Box, layout

KINDS = {"source": "raw source", "model": "model", "port": "published port", "notebook": "notebook"}
"""The kinds of node, with their names in the legend."""

_MAX_LABEL = 200.0
_PAD = 14.0
_LEGEND = 40.0

_STYLE = """
.drawing .frame{fill:var(--frame);stroke:var(--rim)}
.drawing .edge{fill:none;stroke:var(--edge);stroke-width:1.3}
.drawing .source{fill:var(--fill);stroke:var(--line);stroke-dasharray:4 3}
.drawing .model{fill:var(--fill);stroke:var(--line)}
.drawing .port{fill:var(--port);stroke:var(--port-line);stroke-width:1.8}
.drawing .notebook{fill:var(--book);stroke:var(--book-line)}
.drawing .spine{stroke:var(--book-line)}
.drawing .ring{fill:none;stroke:var(--ink);stroke-width:1.6}
"""


@dataclass(frozen=True)
class GraphNode:
    """A box with a label and, in small letters, a note; `group` is the name of the frame around it.

    `focus` draws a ring around the box that the drawing is about.
    """

    id: str
    label: str
    group: str
    kind: str
    note: str = ""
    focus: bool = False


def draw_graph(nodes: Sequence[GraphNode], edges: Iterable[tuple[str, str]], title: str, *, notes: tuple[str, ...] = ()) -> str:
    """Return the graph as an SVG document, the same bytes for the same input; edges go from source to target.

    `notes` are sentences below the graph. Raises `KitError` for an unknown kind, two nodes with the same id, an edge of an
    unknown node, and edges in a circle.
    """
    edges = list(edges)
    _check(nodes, edges)
    height = 44.0 if any(node.note for node in nodes) else 30.0
    widths = {
        node.id: 2 * _PAD + ceil(max(text_width(_truncate(node.label)), text_width(_truncate(node.note, SMALL), SMALL)))
        for node in nodes
    }
    picture = layout({node.id: node.group for node in nodes}, widths, height, edges)
    parts = [_frame(group, box) for group, box in sorted(picture.frames.items())]
    parts += [_edge(edge, points) for edge, points in sorted(picture.routes.items())]
    parts += [_node(node, picture.boxes[node.id]) for node in nodes]
    legend, wide = _legend({node.kind for node in nodes})
    parts.append(f'<g transform="translate(0 {number(picture.height + _LEGEND - 26)})">{legend}</g>')
    return svg_document(title, "\n".join(parts), max(picture.width, wide), picture.height + _LEGEND, style=_STYLE, notes=notes)


def _check(nodes: Sequence[GraphNode], edges: Sequence[tuple[str, str]]) -> None:
    ids: set[str] = set()
    for node in nodes:
        if node.kind not in KINDS:
            raise KitError(f"node '{node.id}' is of kind '{node.kind}'; allowed are: {', '.join(KINDS)}")
        if node.id in ids:
            raise KitError(f"node '{node.id}' occurs twice; an id names one node")
        ids.add(node.id)
    for edge in edges:
        for name in edge:
            if name not in ids:
                raise KitError(
                    f"the edge {' → '.join(edge)} names '{name}', which is no node; give it as a node or drop the edge"
                )


def _frame(group: str, box: Box) -> str:
    name = truncate(group, box.width - 2 * _PAD, bold=True)
    hover = f"<title>{escape(group)}</title>" if name != group else ""
    return f"<g>{hover}{_rect('frame', box, 10)}{label(box.x + FRAME, box.y + 21, name, 'group', bold=True)}</g>"


def _edge(edge: tuple[str, str], points: Sequence[tuple[float, float]]) -> str:
    (x, y), *rest = points
    path = f"M{number(x)} {number(y)}"
    for index, (to_x, to_y) in enumerate(rest):
        if index % 2 or abs(to_y - y) < 0.05:
            path += f"H{number(to_x)}"
        else:
            half = (x + to_x) / 2
            path += f"C{number(half)} {number(y)} {number(half)} {number(to_y)} {number(to_x)} {number(to_y)}"
        x, y = to_x, to_y
    title = escape(" → ".join(edge))
    return f'<path class="edge" d="{path}m-6-4l6 4l-6 4"><title>{title}</title></path>'


def _node(node: GraphNode, box: Box) -> str:
    name, note = _truncate(node.label), _truncate(node.note, SMALL)
    middle, x = box.y + box.height / 2, box.x + _PAD
    first = label(x, middle - 2 if note else middle + 4.4, name)
    second = label(x, middle + 13, note, "note", SMALL)
    hover = escape("\n".join(dict.fromkeys(filter(None, (node.id, node.label, node.note)))))
    ring = _rect("ring", Box(box.x - 4, box.y - 4, box.width + 8, box.height + 8), 14) if node.focus else ""
    return f"<g><title>{hover}</title>{_shape(node.kind, box)}{ring}{first}{second}</g>"


def _shape(kind: str, box: Box) -> str:
    """Return the shape of a kind, which differs in form as well as colour: dashed, thin, round and bold, with a spine."""
    shape = _rect(kind, box, min(12, box.height / 2.5) if kind == "port" else 2)
    if kind == "notebook":
        shape += f'<path class="spine" d="M{number(box.x + 5)} {number(box.y)}v{number(box.height)}"/>'
    return shape


def _rect(kind: str, box: Box, radius: float) -> str:
    at = f'x="{number(box.x)}" y="{number(box.y)}" width="{number(box.width)}" height="{number(box.height)}"'
    return f'<rect class="{kind}" {at} rx="{number(radius)}"/>'


def _legend(kinds: set[str]) -> tuple[str, float]:
    parts, x = [], 0.0
    for kind in (kind for kind in KINDS if kind in kinds):
        parts.append(_shape(kind, Box(x + 1, 0, 26, 15)) + label(x + 34, 11.5, KINDS[kind], "note", SMALL))
        x += 34 + text_width(KINDS[kind], SMALL) + 20
    return "".join(parts), x


def _truncate(text: str, size: float = SIZE) -> str:
    return truncate(text, _MAX_LABEL, size)
