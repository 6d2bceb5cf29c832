"""SVG and HTML primitives: layered graphs, grids, bars and safe markup.

Plain values go in; pictures and HTML fragments come out, with every text escaped.
"""

from kit.drawing import bars, graph, markup
from kit.drawing.graph import Node, draw_graph
from kit.drawing.grid import GridCell, Row, draw_grid
from kit.drawing.markup import Html
from kit.drawing.picture import Picture

__all__ = ["GridCell", "Html", "Node", "Picture", "Row", "bars", "draw_graph", "draw_grid", "graph", "markup"]
