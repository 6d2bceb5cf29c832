"""Charts of Altair as pictures: drawn in the kernel, without a script that the page would load from the network."""

import json
from decimal import Decimal
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from kit.core import KitError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_MODULES = ("altair.vegalite.v5.api", "altair.vegalite.v6.api")
_CLASS = "TopLevelMixin"  # of all charts, those in layers and rows included
_NO_TITLE = "A chart of Altair"


def draw_charts(shell: "InteractiveShell") -> None:
    """Show the charts of a kernel as pictures from now on; imports nothing of Altair, which may come later or never.

    A renderer that is chosen in the notebook (`alt.renderers.enable`) keeps its charts.
    """
    formatter: Any = shell.display_formatter
    for module in _MODULES:
        formatter.mimebundle_formatter.for_type_by_name(module, _CLASS, chart_bundle)


def chart_bundle(chart: Any) -> Any:
    """Return a chart for every notebook front end, one that is not trusted and a page included.

    Decimals of its data are drawn as floats. Raises `KitError` without vl-convert.
    """
    import altair

    renderers: Any = altair.renderers
    spec = json.loads(json.dumps(chart.to_dict(context={"pre_transform": False}), default=_plain))
    if renderers.active != "default":
        return renderers.get()(spec)  # with metadata, or without
    if find_spec("vl_convert") is None:
        raise KitError("charts are drawn by the package vl-convert-python; run `pip install 'data-mesh-kit[explore]'`")
    from kit.drawing import Picture

    with renderers.enable("svg"):
        drawn: dict[str, str] = renderers.get()(spec)
    picture = Picture(drawn["image/svg+xml"], _title(spec))
    return {"text/html": picture._repr_html_(), "text/plain": repr(picture)}


def _plain(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"a chart cannot show {type(value).__name__}")


def _title(spec: dict[str, Any]) -> str:
    """Return the title of a chart, which describes its picture for screen readers."""
    title = spec.get("title")
    text = title.get("text") if isinstance(title, dict) else title
    return " ".join(text) if isinstance(text, list) else str(text or spec.get("description") or _NO_TITLE)
