"""A layered graph drawn as SVG: boxes by kind, framed by group, readable in light and dark."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil
from unicodedata import east_asian_width

from kit.errors import KitError
from kit.layout import FRAME, Box, layout

KINDS = {"source": "raw source", "model": "model", "port": "published port", "notebook": "notebook"}
"""The kinds of node, and what the legend calls them."""

_SIZE, _SMALL = 12.5, 11.0
_MOST = 200.0
_BOLD = 1.07
_PAD = 14.0
_MARGIN = 20.0
_HEADER = 44.0
_LEGEND = 40.0

# Advance widths of Helvetica in thousandths of the font size; other characters count as an average capital.
_WIDTHS = {
    **dict.fromkeys("ijl'|", 240),
    **dict.fromkeys(" .,:;!/\\ftI[]()-`", 310),
    **dict.fromkeys('rs"*', 450),
    **dict.fromkeys("ckvxyzJ^{}", 505),
    **dict.fromkeys("abdeghnopquL0123456789_$?#", 560),
    **dict.fromkeys("+<=>~", 590),
    **dict.fromkeys("wCDGHMNOQRUWmM%@&…→", 870),
}
_OTHER = 700

_STYLE = """
.drawing{--back:#fff;--frame:#f5f7f9;--rim:#d5dbe1;--ink:#1f2933;--soft:#5b6875;--edge:#8794a1;--fill:#fff;--line:#77848f;
--port:#e3eefb;--port-line:#1f64b5;--book:#fff3dc;--book-line:#a86400}
@media(prefers-color-scheme:dark){.drawing{--back:#14181d;--frame:#1c2228;--rim:#323b44;--ink:#e6eaee;--soft:#a3afba;
--edge:#74818d;--fill:#232a31;--line:#8b98a4;--port:#17304d;--port-line:#6cabf2;--book:#3a2c12;--book-line:#dda84b}}
.drawing text{font:12.5px "Helvetica Neue",Helvetica,Arial,"Liberation Sans",sans-serif;fill:var(--ink)}
.drawing .title{font-size:16px;font-weight:600}
.drawing .group{font-weight:600;fill:var(--soft)}
.drawing .note{font-size:11px;fill:var(--soft)}
.drawing .back{fill:var(--back)}
.drawing .frame{fill:var(--frame);stroke:var(--rim)}
.drawing .edge{fill:none;stroke:var(--edge);stroke-width:1.3}
.drawing .source{fill:var(--fill);stroke:var(--line);stroke-dasharray:4 3}
.drawing .model{fill:var(--fill);stroke:var(--line)}
.drawing .port{fill:var(--port);stroke:var(--port-line);stroke-width:1.8}
.drawing .notebook{fill:var(--book);stroke:var(--book-line)}
.drawing .spine{stroke:var(--book-line)}
"""


@dataclass(frozen=True)
class Node:
    """A box: `label` is written in it and `note` below that in small; `group` names the frame it stands in."""

    id: str
    label: str
    group: str
    kind: str
    note: str = ""


def draw(nodes: Sequence[Node], edges: Iterable[tuple[str, str]], title: str) -> str:
    """The graph as an SVG document, the same bytes for the same input; edges run from source to target.

    Raises `KitError` for an unknown kind, a node given twice, an edge of an unknown node, and edges in a circle.
    """
    edges = list(edges)
    _refuse(nodes, edges)
    height = 44.0 if any(node.note for node in nodes) else 30.0
    widths = {node.id: 2 * _PAD + ceil(max(_width(_cut(node.label)), _width(_cut(node.note), _SMALL))) for node in nodes}
    picture = layout({node.id: node.group for node in nodes}, widths, height, edges)
    parts = [_frame(group, box) for group, box in sorted(picture.frames.items())]
    parts += [_edge(edge, points) for edge, points in sorted(picture.routes.items())]
    parts += [_node(node, picture.boxes[node.id]) for node in nodes]
    legend, wide = _legend({node.kind for node in nodes})
    width = 2 * _MARGIN + max(picture.width, wide, _width(title, 16) * _BOLD)
    total = _HEADER + picture.height + _LEGEND
    name = escape(title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img" width="{_n(width)}" height="{_n(total)}" '
        f'viewBox="0 0 {_n(width)} {_n(total)}"><title>{name}</title><style>{_STYLE}</style>'
        f'<rect class="back" width="100%" height="100%" rx="8"/><text class="title" x="{_n(_MARGIN)}" y="29">{name}</text>'
        f'<g transform="translate({_n(_MARGIN)} {_n(_HEADER)})">\n' + "\n".join(parts) + "</g>\n"
        f'<g transform="translate({_n(_MARGIN)} {_n(total - 26)})">{legend}</g></svg>\n'
    )


def data_uri(svg: str) -> str:
    """The drawing as the `src` of an `<img>`, the form that is shown in any notebook, also one that is not trusted."""
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def _refuse(nodes: Sequence[Node], edges: Sequence[tuple[str, str]]) -> None:
    ids: set[str] = set()
    for node in nodes:
        if node.kind not in KINDS:
            raise KitError(f"node '{node.id}' is of kind '{node.kind}'; allowed are: {', '.join(KINDS)}")
        if node.id in ids:
            raise KitError(f"node '{node.id}' is given twice; an id names one node")
        ids.add(node.id)
    for edge in edges:
        for name in edge:
            if name not in ids:
                raise KitError(
                    f"the edge {' → '.join(edge)} names '{name}', which is no node; give it as a node or drop the edge"
                )


def _frame(group: str, box: Box) -> str:
    name = _cut(group, (box.width - 2 * _PAD) / _BOLD)
    hover = f"<title>{escape(group)}</title>" if name != group else ""
    words = f'<text class="group" x="{_n(box.x + FRAME)}" y="{_n(box.y + 21)}">{escape(name)}</text>'
    return f"<g>{hover}{_rect('frame', box, 10)}{words}</g>"


def _edge(edge: tuple[str, str], points: Sequence[tuple[float, float]]) -> str:
    (x, y), *rest = points
    path = f"M{_n(x)} {_n(y)}"
    for index, (to_x, to_y) in enumerate(rest):
        if index % 2 or abs(to_y - y) < 0.05:
            path += f"H{_n(to_x)}"
        else:
            half = (x + to_x) / 2
            path += f"C{_n(half)} {_n(y)} {_n(half)} {_n(to_y)} {_n(to_x)} {_n(to_y)}"
        x, y = to_x, to_y
    title = escape(" → ".join(edge))
    return f'<path class="edge" d="{path}m-6-4l6 4l-6 4"><title>{title}</title></path>'


def _node(node: Node, box: Box) -> str:
    label, note = _cut(node.label), _cut(node.note)
    middle = box.y + box.height / 2
    x = _n(box.x + _PAD)
    first = f'<text x="{x}" y="{_n(middle - 2 if note else middle + 4.4)}">{escape(label)}</text>'
    second = f'<text class="note" x="{x}" y="{_n(middle + 13)}">{escape(note)}</text>' if note else ""
    hover = escape("\n".join(dict.fromkeys(filter(None, (node.id, node.label, node.note)))))
    return f"<g><title>{hover}</title>{_shape(node.kind, box)}{first}{second}</g>"


def _shape(kind: str, box: Box) -> str:
    """Told apart by form as well as colour: dashed, thin, round and bold, with a spine."""
    shape = _rect(kind, box, min(12, box.height / 2.5) if kind == "port" else 2)
    if kind == "notebook":
        shape += f'<path class="spine" d="M{_n(box.x + 5)} {_n(box.y)}v{_n(box.height)}"/>'
    return shape


def _rect(kind: str, box: Box, radius: float) -> str:
    at = f'x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}"'
    return f'<rect class="{kind}" {at} rx="{_n(radius)}"/>'


def _legend(kinds: set[str]) -> tuple[str, float]:
    parts, x = [], 0.0
    for kind in (kind for kind in KINDS if kind in kinds):
        parts.append(f'{_shape(kind, Box(x + 1, 0, 26, 15))}<text class="note" x="{_n(x + 34)}" y="11.5">{KINDS[kind]}</text>')
        x += 34 + _width(KINDS[kind], _SMALL) + 20
    return "".join(parts), x


def _width(text: str, size: float = _SIZE) -> float:
    """Pixels a text takes; a little generous, as readers have other fonts."""
    units = sum(1_000 if east_asian_width(c) in "WF" else _WIDTHS.get(c, _OTHER) for c in text)
    return units * size / 1_000 * 1.05


def _cut(text: str, most: float = _MOST) -> str:
    """The text, ended by an ellipsis where it is too wide."""
    if _width(text) <= most:
        return text
    while text and _width(text + "…") > most:
        text = text[:-1]
    return text.rstrip() + "…"


def _n(value: float) -> str:
    """A number as short as it can be written, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")
