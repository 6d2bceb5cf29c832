"""SVG and HTML primitives: layered graphs, grids, bar charts and escaped markup.

Names, numbers and texts go in; pictures and HTML fragments, in which every text is escaped, come out.
"""

from typing import TYPE_CHECKING

from kit.core import lazy_face

if TYPE_CHECKING:
    from kit.drawing import bars, graph, markup
    from kit.drawing.graph import GraphNode, draw_graph
    from kit.drawing.grid import GridCell, GridRow, draw_grid
    from kit.drawing.markup import Html
    from kit.drawing.picture import Picture

__getattr__ = lazy_face(__name__)

__all__ = ["GraphNode", "GridCell", "GridRow", "Html", "Picture", "bars", "draw_graph", "draw_grid", "graph", "markup"]
