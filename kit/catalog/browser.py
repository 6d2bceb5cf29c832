"""The catalog as an application in a notebook: a filter, the list of ports, and tabs about the selected port."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol

import ipywidgets as widgets

from kit.catalog import history_tab, profile_tab, quality_tab, schema_tab, tabs
from kit.catalog.entry import Entry
from kit.catalog.html_widget import HtmlWidget
from kit.catalog.port_view import PortView
from kit.contracts import NOT_OFFERED
from kit.core import Config, KitError, counted
from kit.drawing import Html, markup
from kit.mesh import Context
from kit.storage import PortState

TABS: dict[str, Callable[[PortView], Html]] = {
    "Overview": tabs.render_overview,
    "Schema": schema_tab.render_schema,
    "Sample": tabs.render_sample,
    "Profile": profile_tab.render_profile,
    "Quality": quality_tab.render_quality,
    "Lineage": tabs.render_lineage,
    "History": history_tab.render_history,
    "Code": tabs.render_code,
}
"""The function that renders each tab, called when the tab is first opened for a port."""

_WAITING = {"Profile": "Computing the profile of {}: all of its rows are read …"}
_READING = "Reading {} …"
_PIXELS, _NARROWEST, _WIDEST = 7.3, 270, 480  # of a character of the list, and of the list
_SPACE = "\N{NO-BREAK SPACE}"
_STATE_NAMES = {PortState.UNPUBLISHED: "never built"}
_STYLE = """<style>
.kit-browse { max-width: 1240px; }
.kit-browse select { height: 100%; padding: 2px 0; font: 12px var(--jp-code-font-family, monospace); }
.kit-browse select option { padding: 3px 8px; }
.kit-browse .jupyter-widget-tab > .lm-TabBar .lm-TabBar-tab { flex: 0 0 auto; min-width: 0; padding: 0 9px; }
.kit-browse .jupyter-widget-tab > .widget-tab-contents { padding: 8px 12px; }
/* Next to JupyterLab's file browser there is no room for two columns: the list is then above the tabs. */
.kit-browse { container-type: inline-size; }
@container (max-width: 960px) {
  .kit-browse > .widget-hbox:last-child { flex-direction: column; }
  .kit-browse > .widget-hbox:last-child > * { width: calc(100% - 4px) !important; box-sizing: border-box; }
  .kit-browse .widget-select { height: 150px !important; }
}
</style>"""

# The table is shown where the application cannot run: without a kernel, in an untrusted notebook, on a code host, in a file.
_BELOW = """<style>
.jp-OutputArea:has(.kit-browse) .kit-below { display: none; }
.kit-below { animation: kit-wait 1.5s; }
@keyframes kit-wait { from, 99% { height: 0; overflow: hidden; opacity: 0; } }
</style>"""


class SearchableCatalog(Protocol):
    """The part of `Catalog` that the browser uses."""

    config: Config

    def __len__(self) -> int: ...

    def search(self, text: str) -> "SearchableCatalog":
        """Return the ports in which every word of `text` occurs."""

    def port_entries(self) -> list[Entry]:
        """Return every port; a product without any known port has an unnamed one."""

    def hints(self) -> list[str]:
        """Return hints for an empty or shortened list of ports."""

    def _repr_html_(self) -> str: ...


class Browser:
    """Shown as the application in a notebook with a kernel, elsewhere as the table of the catalog."""

    def __init__(self, catalog: SearchableCatalog, text: str = "") -> None:
        self._catalog = catalog
        self._mesh = cache(lambda: Context(catalog.config).mesh)
        self._listed: list[Entry] = []
        self._selected: Entry | None = None
        self._hints = markup.html("")
        self._rendered: set[str] = set()  # tabs that show the selected port
        width = _width(catalog.port_entries())
        self._filter = widgets.Text(value=text, placeholder="names, owners, columns, descriptions", layout=_layout(width=width))
        self._count = widgets.HTML(layout=_layout(margin="2px 12px"))
        self._list = widgets.Select(rows=24, layout=_layout(width=width, flex="0 0 auto", height="auto"))
        self._panes = {name: HtmlWidget() for name in TABS}
        self._tabs = widgets.Tab(tuple(self._panes.values()), titles=tuple(TABS), layout=_layout(flex="1 1 auto", width="0"))
        top = widgets.HBox([self._filter, self._count, widgets.HTML(_STYLE)])
        self.widget = widgets.VBox([top, widgets.HBox([self._list, self._tabs])])
        self.widget.add_class("kit-browse")
        self._list.observe(self._select, "index")
        self._apply_filter()
        self._filter.observe(lambda _: self._apply_filter(), "value")
        self._tabs.observe(lambda _: self._render_open_tab(), "selected_index")
        for pane in self._panes.values():
            pane.observe(lambda _: self._render_open_tab_again(), "picked")

    @property
    def selected(self) -> Entry | None:
        """The selected port, for use in Python; None when none is selected."""
        return self._selected if self._selected and self._selected.port.name else None

    def _apply_filter(self) -> None:
        """List the ports that match the filter; the selected port stays selected, and a single match is selected."""
        matches = self._catalog.search(self._filter.value)
        self._listed = matches.port_entries()
        self._count.value = f"{len(matches):,} of {counted(len(self._catalog), 'port')}"
        self._hints = markup.joined(map(markup.paragraph, _summary(self._listed) if self._listed else matches.hints()))
        ids = [entry.id for entry in self._listed]
        self._list.unobserve(self._select, "index")
        self._list.index = None
        self._list.options = _labels(self._listed)
        if self._selected and self._selected.id in ids:
            self._list.index = ids.index(self._selected.id)
        elif len(ids) == 1:
            self._list.index = 0
        self._list.observe(self._select, "index")
        self._select()

    def _select(self, _: object = None) -> None:
        position = self._list.index
        previous, self._selected = self._selected, None if position is None else self._listed[position]
        if previous and self._selected and previous.id == self._selected.id:
            return
        self._rendered.clear()
        for name, pane in self._panes.items():
            pane.picked = ""
            pane.html = self._waiting(name)  # the page shows it at once when the tab is opened, while the kernel computes
        self._render_open_tab()

    def _render_open_tab_again(self) -> None:
        """Render the open tab after a click in it; does nothing while a new selection resets the clicks."""
        if self._open_tab in self._rendered:
            self._rendered.remove(self._open_tab)
            self._render_open_tab()

    def _render_open_tab(self) -> None:
        """Render the open tab, once for each selection."""
        if self._open_tab not in self._rendered:
            self._rendered.add(self._open_tab)
            pane = self._panes[self._open_tab]
            pane.html = self._waiting(self._open_tab)
            pane.html = self._render(self._open_tab, pane.picked)

    def _waiting(self, tab: str) -> Html:
        """Return what a tab shows until it is rendered."""
        if self._selected is None:
            return self._hints
        return markup.paragraph(markup.muted(_WAITING.get(tab, _READING).format(self._selected.id.removesuffix("."))))

    @property
    def _open_tab(self) -> str:
        return list(TABS)[self._tabs.selected_index or 0]

    def _render(self, tab: str, picked: str) -> Html:
        entry = self._selected
        if entry is None:
            return self._hints
        if not entry.port.name:
            return markup.paragraph(markup.colour_states(entry.status.describe()))
        try:
            return TABS[tab](PortView(entry, self._mesh, picked))
        except KitError as error:
            return markup.paragraph(str(error))
        except Exception as error:  # the other tabs stay usable
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


def _labels(entries: Sequence[Entry]) -> list[str]:
    """Return the lines of the list: name, state and number of rows below each other, with spaces that a list keeps."""
    rows = [(entry.id.removesuffix("."), _state(entry), entry.format_rows()) for entry in entries]
    name, state, number = (max((len(row[part]) for row in rows), default=0) for part in range(3))
    return [f"{row[0]:<{name}}  {row[1]:<{state}}  {row[2]:>{number}}".rstrip().replace(" ", _SPACE) for row in rows]


def _width(entries: Sequence[Entry]) -> str:
    """Return the width of the list, in which its longest line fits."""
    longest = max(map(len, _labels(entries)), default=0)
    return f"{min(max(round(longest * _PIXELS) + 40, _NARROWEST), _WIDEST)}px"


def _state(entry: Entry) -> str:
    """Return the state of a port; that of its contract if other products may not read it."""
    state = entry.status.state
    return entry.port.status if entry.port.status in NOT_OFFERED else _STATE_NAMES.get(state, state)


def _summary(entries: list[Entry]) -> list[str]:
    products = len({entry.product.name for entry in entries})
    counts = Counter(_STATE_NAMES.get(entry.status.state, entry.status.state) for entry in entries)
    states = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    return [f"{counted(products, 'data product')}; ports: {states}.", "Select a port in the list, also with the arrow keys."]
