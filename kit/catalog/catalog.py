"""The catalog of all ports: list, search, show and read them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kit.catalog.entry import Entry
from kit.core import Config, KitError, UnknownName, table_lines, there_are
from kit.drawing import markup
from kit.mesh import Context
from kit.storage import PortSummary, ProductSummary, index, port_statuses

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from kit.catalog.browser import Browser
    from kit.drawing import Picture

_MAX_ROWS = 100  # rows of a table
_HEADER = ("product", "port", "description", "owner", "freshness / SLA", "checks", "rows")
_MERGED = ("product", "port", "owner", "freshness / SLA", "checks", "rows")


def open_catalog(root: Path | None = None) -> "Catalog":
    """Open the catalog of the mesh that contains `root`, `KIT_ROOT` or the working directory; also named `kit.open`.

    Reads the index that builds maintain. A catalog does not change after it is opened.

    >>> cat = kit.open()
    >>> cat.search("sales").browse()
    """
    context = Context.load(root)
    return Catalog(context.config, index.load(context))


class Catalog:
    """All ports of a mesh, or those that match a search, as of the time when the catalog was opened.

    `list(cat)` returns their names, `cat["orders.daily_sales"]` or `cat.orders.daily_sales` shows one port,
    `cat.read("orders.daily_sales")` reads it. A product with the name of a method is found by its text only.
    """

    def __init__(self, config: Config, products: Sequence[ProductSummary], searched: str = "") -> None:
        self.config = config
        self.products = tuple(products)
        self.searched = searched

    def __iter__(self) -> Iterator[str]:
        return (f"{product.name}.{port.name}" for product in self.products for port in product.ports)

    def __len__(self) -> int:
        return sum(len(product.ports) for product in self.products)

    def __contains__(self, port: object) -> bool:
        return port in set(self)

    def __getitem__(self, port: str) -> Entry:
        product_name, _, name = port.partition(".")
        product = self._by_name.get(product_name)
        for item in product.ports if product else ():
            if product and item.name == name:
                return Entry(self.config, port_statuses(self.config, [replace(product, ports=(item,))])[0])
        raise UnknownName(self._unknown(port))

    def __getattr__(self, name: str) -> "CatalogProduct":
        if name.startswith("_"):  # asked for by IPython and pickle
            raise AttributeError(name)
        if name not in self._by_name:
            raise AttributeError(f"the catalog has no product '{name}'; {there_are(name, self._by_name)}")
        return CatalogProduct(self, name)

    def __dir__(self) -> list[str]:
        public = (name for name in super().__dir__() if not name.startswith("_"))
        return sorted({*public, *(name for name in self._by_name)})

    def search(self, text: str) -> "Catalog":
        """Return the ports for which every word of `text` occurs in a name, owner, column, description or tag."""
        words = text.lower().split()
        matches = []
        for product in self.products:
            about = (product.name, product.domain, product.description, product.owner, product.contact, product.broken)
            rest = [word for word in words if word not in " ".join((*about, *product.tags)).lower()]
            ports = tuple(port for port in product.ports if not rest or _mentions(port, rest))
            if ports or not (rest or product.ports):
                matches.append(replace(product, ports=ports))
        return Catalog(self.config, matches, text)

    def read(self, port: str, version: str | None = None) -> "pl.DataFrame":
        """Read a port as a polars DataFrame; raises `UnknownName`, which lists similar names, and `NotPublished`."""
        return self[port].read(version)

    def scan(self, port: str, version: str | None = None) -> "pl.LazyFrame":
        """Scan a port as a polars LazyFrame; its snapshot is not pruned while this process runs."""
        return self[port].scan(version)

    def to_duckdb(self, port: str, connection: "duckdb.DuckDBPyConnection | None" = None) -> "duckdb.DuckDBPyRelation":
        """Return a port as a DuckDB relation; relations can be joined when they have the same `connection`."""
        return self[port].to_duckdb(connection)

    def to_pandas(self, port: str, decimals: Literal["exact", "float"] = "exact") -> Any:
        """Read a port as a pandas DataFrame, see `Entry.to_pandas`; raises `KitError` where pandas is not installed."""
        return self[port].to_pandas(decimals)

    def browse(self, text: str = "") -> "Browser":
        """Open an application in the notebook to filter, select and inspect ports; `text` is the first filter.

        Its `selected` is the selected port.
        """
        from kit.catalog.browser import Browser

        return Browser(self, text)

    def lineage(self, port: str | None = None, column: str | None = None) -> "Picture":
        """Draw the lineage of all products of this catalog, of one port, or of a column of it.

        Raises `UnknownName`, which lists similar names.
        """
        from kit.catalog import lineage_diagram

        if port is not None:
            return self[port].lineage(column)
        if column is not None:
            raise KitError(f'name the port that has the column \'{column}\': cat.lineage("PRODUCT.PORT", column="{column}")')
        mesh = Context(self.config).mesh
        return lineage_diagram.draw_mesh(mesh, [product.name for product in self.products])

    def quality(self, port: str | None = None) -> "Picture":
        """Draw the results of the newest builds: for every port of this catalog, or for every check of one port."""
        from kit.catalog import quality_grid

        return quality_grid.draw_mesh(self.config, self) if port is None else self[port].quality()

    def port_entries(self) -> list[Entry]:
        """Return every port with its present status; a product without any known port has an entry with an unnamed port."""
        return [Entry(self.config, status) for status in port_statuses(self.config, self.products)]

    def __repr__(self) -> str:
        rows = [[_shortened(text) for text in _row(entry)] for entry in self.port_entries()[:_MAX_ROWS]]
        return "\n".join([*(table_lines(_HEADER, rows) if rows else ()), *self.hints()])

    def _repr_html_(self) -> str:
        shown = self.port_entries()[:_MAX_ROWS]
        table = (
            markup.table(_MERGED, map(_cells, shown, [None, *shown]), numbers=["rows"], unbroken=["owner", "checks"])
            if shown
            else ""
        )
        return markup.joined((table, *map(markup.paragraph, self.hints())))

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    @cached_property
    def _by_name(self) -> dict[str, ProductSummary]:
        return {product.name: product for product in self.products}

    def hints(self) -> list[str]:
        """Return hints for a table that is empty or does not list every port."""
        if not self.products:
            no_match = f"nothing matches '{self.searched}'; try fewer words, or parts of them"
            return [no_match if self.searched else "no data products yet; domains/README.md shows how to add one"]
        rest = sum(len(product.ports) or 1 for product in self.products) - _MAX_ROWS
        return [f'and {rest:,} more; filter with cat.search("words")'] if rest > 0 else []

    def _unknown(self, port: str) -> str:
        name, _, _ = port.partition(".")
        product = self._by_name.get(name)
        if product and product.broken and not product.ports:
            return f"'{name}' is broken and has no snapshot to read: {product.broken}"
        own = [other for other in self if other.startswith(f"{name}.")]
        return f"the catalog has no port '{port}'; {there_are(port, own or list(self))}"


class CatalogProduct:
    """The ports of one product in a catalog, as attributes: `cat.orders.daily_sales` is `cat["orders.daily_sales"]`."""

    def __init__(self, catalog: Catalog, name: str) -> None:
        self._catalog, self._name = catalog, name

    def __getattr__(self, port: str) -> Entry:
        if port.startswith("_"):
            raise AttributeError(port)
        try:
            return self._catalog[f"{self._name}.{port}"]
        except UnknownName as error:
            raise AttributeError(str(error)) from None

    def __dir__(self) -> list[str]:
        return [port.partition(".")[2] for port in self]

    def __iter__(self) -> Iterator[str]:
        return (port for port in self._catalog if port.startswith(f"{self._name}."))

    def __repr__(self) -> str:
        return repr(self._ports())

    def _repr_html_(self) -> str:
        return self._ports()._repr_html_()

    def _ports(self) -> Catalog:
        chosen = [product for product in self._catalog.products if product.name == self._name]
        return Catalog(self._catalog.config, chosen)


def _mentions(port: PortSummary, words: Sequence[str]) -> bool:
    columns = (
        part for column in port.columns for part in (column.name, column.type, column.description, column.classification)
    )
    text = "\n".join((port.name, port.description, *columns)).lower()
    return all(word in text for word in words)


def _shortened(text: str, width: int = 60) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def _row(entry: Entry) -> tuple[str, str, str, str, str, str, str]:
    product, port, status = entry.product, entry.port, entry.status
    names = product.name, port.name, port.description, product.owner
    return *names, status.describe(), status.describe_checks(), entry.format_rows()


def _cells(entry: Entry, above: Entry | None) -> tuple[str, ...]:
    """Return a row of the HTML table: product and owner in a product's first row only, the description below the port."""
    product, port, description, owner, status, checks, rows = _row(entry)
    if above is not None and above.product.name == product:
        product = owner = ""
    about = markup.lines(markup.bold(port) if port else "", markup.muted(description) if description else "")
    return product, about, owner, markup.colour_states(status), markup.colour_states(checks), rows
