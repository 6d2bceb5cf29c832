"""The catalog as an application in a notebook: a filter, the list of ports, and tabs about the one that is chosen."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Protocol

import ipywidgets as widgets

from kit.catalog import history_tab, profile_tab, quality_tab, schema_tab, tabs
from kit.catalog.entry import Entry
from kit.catalog.pane import HtmlWidget
from kit.catalog.port_view import PortView
from kit.core import Config, KitError
from kit.drawing import Html, markup
from kit.mesh import Context

TABS: dict[str, Callable[[PortView], Html]] = {
    "Overview": tabs.overview,
    "Schema": schema_tab.html,
    "Sample": tabs.sample,
    "Profile": profile_tab.html,
    "Quality": quality_tab.html,
    "Lineage": tabs.lineage,
    "History": history_tab.html,
    "Code": tabs.code,
}
"""What makes the text of each tab, called when the tab is first seen for a port."""

_WAITING = markup.paragraph(markup.soft("Reading …"))
_STATES = {"unpublished": "never built"}
_STYLE = """<style>
.kit-browse { max-width: 1240px; }
.kit-browse select { height: 100%; padding: 2px 0; font: 13px var(--jp-code-font-family, monospace); }
.kit-browse select option { padding: 3px 8px; }
.kit-browse .jupyter-widget-tab > .lm-TabBar .lm-TabBar-tab { flex: 0 0 auto; min-width: 0; padding: 0 9px; }
.kit-browse .jupyter-widget-tab > .widget-tab-contents { padding: 8px 12px; }
/* Beside JupyterLab's file browser there is no room for two columns: the list then stands above the tabs. */
.kit-browse { container-type: inline-size; }
@container (max-width: 960px) {
  .kit-browse > .widget-hbox:last-child { flex-direction: column; }
  .kit-browse > .widget-hbox:last-child > * { width: calc(100% - 4px) !important; box-sizing: border-box; }
  .kit-browse .widget-select { height: 150px !important; }
}
</style>"""

# The table is seen where the application is not: without a kernel, not trusted, on a code host, in a file.
_BELOW = """<style>
.jp-OutputArea:has(.kit-browse) .kit-below { display: none; }
.kit-below { animation: kit-wait 1.5s; }
@keyframes kit-wait { from, 99% { height: 0; overflow: hidden; opacity: 0; } }
</style>"""


class Finder(Protocol):
    """What is browsed: a catalog."""

    config: Config

    def __len__(self) -> int: ...

    def search(self, text: str) -> "Finder":
        """What is left when every word of `text` must occur."""

    def entries(self) -> list[Entry]:
        """Every port; a product of which none is known has an unnamed one."""

    def beside(self) -> list[str]:
        """What is to be said where nothing is found."""

    def _repr_html_(self) -> str: ...


class Browser:
    """Shown as the value of a cell it is the application, and where that cannot be, the table of the catalog."""

    def __init__(self, catalog: Finder, text: str = "") -> None:
        self._catalog = catalog
        self._mesh = cache(lambda: Context(catalog.config).mesh)
        self._found: list[Entry] = []
        self._chosen: Entry | None = None
        self._advice = markup.html("")
        self._drawn: set[str] = set()  # tabs that speak of what is chosen
        self._filter = widgets.Text(
            value=text, placeholder="names, owners, columns, descriptions", layout=_layout(width="270px")
        )
        self._count = widgets.HTML(layout=_layout(margin="2px 12px"))
        self._list = widgets.Select(rows=24, layout=_layout(width="270px", flex="0 0 auto", height="auto"))
        self._panes = {name: HtmlWidget() for name in TABS}
        self._tabs = widgets.Tab(tuple(self._panes.values()), titles=tuple(TABS), layout=_layout(flex="1 1 auto", width="0"))
        top = widgets.HBox([self._filter, self._count, widgets.HTML(_STYLE)])
        self.widget = widgets.VBox([top, widgets.HBox([self._list, self._tabs])])
        self.widget.add_class("kit-browse")
        self._list.observe(self._choose, "index")
        self._narrow()
        self._filter.observe(lambda _: self._narrow(), "value")
        self._tabs.observe(lambda _: self._draw(), "selected_index")
        for pane in self._panes.values():
            pane.observe(lambda _: self._pick(), "picked")

    @property
    def selected(self) -> Entry | None:
        """The port that is chosen, to go on with in Python; None when none is."""
        return self._chosen if self._chosen and self._chosen.port.name else None

    def _narrow(self) -> None:
        """List what the filter leaves, and keep what is chosen if it is still there; what is left alone is chosen."""
        found = self._catalog.search(self._filter.value)
        self._found = found.entries()
        self._count.value = f"{len(found):,} of {len(self._catalog):,} ports"
        self._advice = markup.joined(map(markup.paragraph, found.beside() if not self._found else _summary(self._found)))
        ids = [entry.id for entry in self._found]
        self._list.unobserve(self._choose, "index")
        self._list.index = None
        self._list.options = [_label(entry) for entry in self._found]
        if self._chosen and self._chosen.id in ids:
            self._list.index = ids.index(self._chosen.id)
        elif len(ids) == 1:
            self._list.index = 0
        self._list.observe(self._choose, "index")
        self._choose()

    def _choose(self, _: object = None) -> None:
        position = self._list.index
        before, self._chosen = self._chosen, None if position is None else self._found[position]
        if before and self._chosen and before.id == self._chosen.id:
            return
        self._drawn.clear()
        for pane in self._panes.values():
            pane.html = pane.picked = ""
        self._draw()

    def _pick(self) -> None:
        """Fill the tab that is seen anew, for what was picked in it; a choice has already forgotten what was."""
        if self._seen in self._drawn:
            self._drawn.remove(self._seen)
            self._draw()

    def _draw(self) -> None:
        """Fill the tab that is seen, once for each choice."""
        if self._seen not in self._drawn:
            self._drawn.add(self._seen)
            pane = self._panes[self._seen]
            pane.html = _WAITING
            pane.html = self._told(self._seen, pane.picked)

    @property
    def _seen(self) -> str:
        return list(TABS)[self._tabs.selected_index or 0]

    def _told(self, name: str, picked: str) -> Html:
        entry = self._chosen
        if entry is None:
            return self._advice
        if not entry.port.name:
            return markup.paragraph(markup.states(entry.status.in_words()))
        try:
            return TABS[name](PortView(entry, self._mesh, picked))
        except KitError as error:
            return markup.paragraph(str(error))
        except Exception as error:  # whatever is wrong with one tab, the others are still of use
            reason = str(error).partition("\n")[0]
            return markup.paragraph(f"this cannot be shown: {type(error).__name__}: {reason}")

    def __repr__(self) -> str:
        return repr(self._catalog)

    def _ipython_display_(self) -> None:
        from IPython import display

        show: Callable[..., object] = display.display
        table = f"{_BELOW}<div class='kit-below'>{self._catalog._repr_html_()}</div>"
        show({**self.widget._repr_mimebundle_(), "text/plain": "", "text/html": ""}, raw=True)
        show({"text/plain": repr(self), "text/html": table}, raw=True)


def _layout(**values: str) -> widgets.Layout:
    return widgets.Layout(**values)


def _label(entry: Entry) -> str:
    state = entry.status.state
    return entry.id.removesuffix(".") + ("" if state == "fresh" else f"  ({_STATES.get(state, state)})")


def _summary(entries: list[Entry]) -> list[str]:
    products = len({entry.card.name for entry in entries})
    counts = Counter(_STATES.get(entry.status.state, entry.status.state) for entry in entries)
    states = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    what = f"{products:,} data product{'s' * (products != 1)}"
    return [f"{what}; ports: {states}.", "Choose a port in the list; the arrow keys work there too."]
