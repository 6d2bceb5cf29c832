"""Finding data: the catalog of all ports, to list, search, look at and read."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.catalog.entry import Entry
from kit.core import Config, KitError, UnknownName, table_lines
from kit.drawing import markup
from kit.mesh import Context
from kit.storage import PortSummary, ProductSummary, index, judge

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from kit.catalog.browser import Browser
    from kit.drawing import Picture

_SHOWN = 100  # rows of a table; more is no longer looked at but searched
_HEADER = ("product", "port", "description", "owner", "freshness / SLA", "checks", "rows")
_MERGED = ("product", "port", "owner", "freshness / SLA", "checks", "rows")


def open_catalog(root: Path | None = None) -> "Catalog":
    """The catalog of the mesh that `root`, `KIT_ROOT` or the working directory lies in; known as `kit.open`.

    It is read from the index that builds keep, and stays as it was when it was opened.
    """
    context = Context.load(root)
    return Catalog(context.config, index.load(context))


class Catalog:
    """All ports of a mesh, or those that a search left, as they stood when the catalog was opened.

    `list(cat)` are their names, `cat["orders.daily_sales"]` tells all about one, `cat.read("orders.daily_sales")` reads it.
    """

    def __init__(self, config: Config, cards: Sequence[ProductSummary], searched: str = "") -> None:
        self.config = config
        self.cards = tuple(cards)
        self.searched = searched

    def __iter__(self) -> Iterator[str]:
        return (f"{card.name}.{port.name}" for card in self.cards for port in card.ports)

    def __len__(self) -> int:
        return sum(len(card.ports) for card in self.cards)

    def __contains__(self, port: object) -> bool:
        return port in set(self)

    def __getitem__(self, port: str) -> Entry:
        product, _, name = port.partition(".")
        card = self._by_name.get(product)
        for item in card.ports if card else ():
            if card and item.name == name:
                return Entry(self.config, judge(self.config, [replace(card, ports=(item,))])[0])
        raise UnknownName(self._unknown(port))

    def search(self, text: str) -> "Catalog":
        """Those ports for which every word of `text` occurs in a name, owner, column, description or tag."""
        words = text.lower().split()
        found = []
        for card in self.cards:
            about = " ".join((card.name, card.domain, card.description, card.owner, card.contact, *card.tags, card.broken))
            rest = [word for word in words if word not in about.lower()]
            ports = tuple(port for port in card.ports if not rest or _mentions(port, rest))
            if ports or not (rest or card.ports):
                found.append(replace(card, ports=ports))
        return Catalog(self.config, found, text)

    def read(self, port: str, version: str | None = None) -> "pl.DataFrame":
        """A port as a polars DataFrame; raises `UnknownName`, naming near ones, and `NotPublished`."""
        return self[port].read(version)

    def scan(self, port: str, version: str | None = None) -> "pl.LazyFrame":
        """A port as a polars LazyFrame; the snapshot is not pruned while this process lives."""
        return self[port].scan(version)

    def to_duckdb(self, port: str, connection: "duckdb.DuckDBPyConnection | None" = None) -> "duckdb.DuckDBPyRelation":
        """A port as a DuckDB relation; relations that are to be joined need the same `connection`."""
        return self[port].to_duckdb(connection)

    def to_pandas(self, port: str) -> Any:
        """A port as a pandas DataFrame; raises `KitError` where pandas is not installed."""
        return self[port].to_pandas()

    def browse(self, text: str = "") -> "Browser":
        """An application in the notebook to filter, choose and look at ports; `text` is what it is filtered by at first.

        Its `selected` is the port that is chosen.
        """
        from kit.catalog.browser import Browser

        return Browser(self, text)

    def lineage(self, port: str | None = None, column: str | None = None) -> "Picture":
        """A picture of what is made from what: of all products here, around one port, or around a column of it.

        Raises `UnknownName`, naming near ones.
        """
        from kit.catalog import lineage_diagram

        if port is not None:
            return self[port].lineage(column)
        if column is not None:
            raise KitError(f'say of which port \'{column}\' is a column: cat.lineage("PRODUCT.PORT", column="{column}")')
        mesh = Context(self.config).mesh
        return lineage_diagram.of_mesh(mesh, [card.name for card in self.cards])

    def quality(self, port: str | None = None) -> "Picture":
        """A picture of how the newest builds came out: of every port here, or of every check of one port."""
        from kit.catalog import quality_grid

        return quality_grid.of_mesh(self.config, self) if port is None else self[port].quality()

    def entries(self) -> list[Entry]:
        """Every port as it stands at this moment; a product of which none is known has an entry with an unnamed port."""
        return [Entry(self.config, status) for status in judge(self.config, self.cards)]

    def __repr__(self) -> str:
        rows = [[_shortened(text) for text in _row(entry)] for entry in self.entries()[:_SHOWN]]
        return "\n".join([*(table_lines(_HEADER, rows) if rows else ()), *self.beside()])

    def _repr_html_(self) -> str:
        shown = self.entries()[:_SHOWN]
        table = (
            markup.table(_MERGED, map(_cells, shown, [None, *shown]), numbers=["rows"], whole=["owner", "checks"])
            if shown
            else ""
        )
        return markup.joined((table, *map(markup.paragraph, self.beside())))

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    @cached_property
    def _by_name(self) -> dict[str, ProductSummary]:
        return {card.name: card for card in self.cards}

    def beside(self) -> list[str]:
        """What is to be said where the table is empty or does not hold everything."""
        if not self.cards:
            found = f"nothing speaks of '{self.searched}'; try fewer words, or parts of them"
            return [found if self.searched else "no data products yet; CONTRIBUTING.md shows how to add one"]
        rest = sum(len(card.ports) or 1 for card in self.cards) - _SHOWN
        return [f'and {rest:,} more; cat.search("words") narrows'] if rest > 0 else []

    def _unknown(self, port: str) -> str:
        product, _, _ = port.partition(".")
        card = self._by_name.get(product)
        if card and card.broken and not card.ports:
            return f"'{product}' is broken and has no snapshot to read: {card.broken}"
        own = [name for name in self if name.startswith(f"{product}.")]
        near = (own if port == product else []) or get_close_matches(port, list(self), n=3, cutoff=0.6) or own
        hint = f"did you mean {' or '.join(near[:3])}?" if near else 'cat.search("words") finds by name, column or owner'
        return f"the catalog has no port '{port}'; {hint}"


def _mentions(port: PortSummary, words: Sequence[str]) -> bool:
    text = "\n".join((port.name, port.description, *(part for column in port.columns for part in column))).lower()
    return all(word in text for word in words)


def _shortened(text: str, width: int = 60) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def _row(entry: Entry) -> tuple[str, ...]:
    card, port, status = entry.card, entry.port, entry.status
    return card.name, port.name, port.description, card.owner, status.in_words(), status.checks(), entry.rows()


def _cells(entry: Entry, above: Entry | None) -> tuple[str, ...]:
    """A row of the table to be looked at: the product is named once, what a port is stands below its name."""
    product, port, description, owner, stands, checks, rows = _row(entry)
    named = above is not None and above.card.name == product
    told = markup.lines(markup.bold(port) if port else "", markup.soft(description) if description else "")
    return "" if named else product, told, "" if named else owner, markup.states(stands), markup.states(checks), rows
