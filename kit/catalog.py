"""Finding data: the catalog of all ports, to list, search, look at and read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit import index, reading, work
from kit.card import Card, PortCard
from kit.config import Config
from kit.errors import KitError, UnknownName
from kit.mesh import Mesh
from kit.status import PortStatus, judge, span

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from kit.picture import Picture

_SHOWN = 100  # rows of a table; more is no longer looked at but searched
_CELL = "text-align:left;vertical-align:top"
# Of a column, where it is not _CELL. Freshness breaks between its parts, what was counted not at all.
_STYLES = {"checks": f"{_CELL};white-space:nowrap", "rows": "text-align:right;vertical-align:top"}


def open_catalog(root: Path | None = None) -> "Catalog":
    """The catalog of the mesh that `root`, `KIT_ROOT` or the working directory lies in; known as `kit.open`.

    It is read from the index that builds keep, and stays as it was when it was opened.
    """
    config = Config.load(root)
    return Catalog(config, index.load(config))


@dataclass(frozen=True)
class Entry:
    """One port: what it promises, who stands for it, how it stands, and how to read it."""

    config: Config
    status: PortStatus

    @property
    def id(self) -> str:
        """`PRODUCT.PORT`."""
        return f"{self.card.name}.{self.port.name}"

    @property
    def card(self) -> Card:
        """The product it is a port of."""
        return self.status.card

    @property
    def port(self) -> PortCard:
        """The port's own facts."""
        return self.status.port

    def read(self, version: str | None = None) -> "pl.DataFrame":
        """Its current (or the named) snapshot as a polars DataFrame."""
        return reading.read(self.id, version, self.config)

    def scan(self, version: str | None = None) -> "pl.LazyFrame":
        """Its current (or the named) snapshot as a polars LazyFrame."""
        return reading.scan(self.id, version, self.config)

    def to_duckdb(self, connection: "duckdb.DuckDBPyConnection | None" = None) -> "duckdb.DuckDBPyRelation":
        """Its current snapshot as a DuckDB relation; relations that are to be joined need the same `connection`."""
        return work.relation(reading.files(self.id, None, self.config), connection)

    def to_pandas(self) -> Any:
        """Its current snapshot as a pandas DataFrame; raises `KitError` where pandas is not installed."""
        if missing := [name for name in ("pandas", "pyarrow") if find_spec(name) is None]:
            raise KitError(f"{' and '.join(missing)} is not installed; run `pip install {' '.join(missing)}`, or use read()")
        return self.read().to_pandas()

    def lineage(self, column: str | None = None) -> "Picture":
        """What it, or one of its columns, is made from, and what is made from that."""
        from kit import neighbourhood

        mesh = Mesh.load(self.config.domains, self.config.cache)
        if column is None:
            return neighbourhood.of_port(mesh, self.id)
        return neighbourhood.of_column(self.config, mesh, self.id, column)

    def quality(self) -> "Picture":
        """What each of its checks found in the newest builds."""
        from kit import evidence

        return evidence.of_port(self.config, self.id)

    def facts(self) -> dict[str, str]:
        """What is known about it besides its columns, in words."""
        sla = self.port.sla
        promised = {"data at most {} old": sla.latency, "published every {}": sla.frequency, "kept for {}": sla.retention}
        facts = {
            "product": f"{self.card.name}: {self.card.description}" if self.card.description else self.card.name,
            "domain": self.card.domain,
            "owner": " ".join(filter(None, (self.card.owner, f"({self.card.contact})" if self.card.contact else ""))),
            "tags": ", ".join(self.card.tags),
            "promised": ", ".join(text.format(span(level)) for text, level in promised.items() if level),
            "freshness": self.status.in_words(),
            "checks": self.status.checks(),
            "rows": _rows(self.port),
            "set aside": _set_aside(self),
            "snapshot": self.status.version or "",
            "contract": self.port.contract_version or "",
            "read it": f'kit.read("{self.id}")',
        }
        return {name: text for name, text in facts.items() if text}

    def __repr__(self) -> str:
        lines = [self.id, *([self.port.description] if self.port.description else []), ""]
        lines += [f"{name:<10} {text}" for name, text in self.facts().items()]
        return "\n".join([*lines, "", *_text_table(("column", "type", "description"), self.port.columns)])

    def _repr_html_(self) -> str:
        facts = "".join(f"<tr><th style='{_CELL}'>{name}</th>{_cell(text)}</tr>" for name, text in self.facts().items())
        columns = _html_table(("column", "type", "description"), self.port.columns)
        return f"<p><b>{escape(self.id)}</b><br>{escape(self.port.description)}</p><table>{facts}</table>{columns}"


class Catalog:
    """All ports of a mesh, or those that a search left, as they stood when the catalog was opened.

    `list(cat)` are their names, `cat["orders.daily_sales"]` tells all about one, `cat.read("orders.daily_sales")` reads it.
    """

    def __init__(self, config: Config, cards: Sequence[Card], searched: str = "") -> None:
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

    def lineage(self, port: str | None = None, column: str | None = None) -> "Picture":
        """A picture of what is made from what: of all products here, around one port, or around a column of it.

        Raises `UnknownName`, naming near ones.
        """
        from kit import neighbourhood

        if port is not None:
            return self[port].lineage(column)
        if column is not None:
            raise KitError(f'say of which port \'{column}\' is a column: cat.lineage("PRODUCT.PORT", column="{column}")')
        mesh = Mesh.load(self.config.domains, self.config.cache)
        return neighbourhood.of_mesh(mesh, [card.name for card in self.cards])

    def quality(self, port: str | None = None) -> "Picture":
        """A picture of how the newest builds came out: of every port here, or of every check of one port."""
        from kit import evidence

        return evidence.of_mesh(self.config, self) if port is None else self[port].quality()

    def __repr__(self) -> str:
        rows = [[_shortened(text) for text in row] for row in self._table()]
        return "\n".join([*(_text_table(_HEADER, rows) if rows else ()), *self._beside()])

    def _repr_html_(self) -> str:
        rows = self._table()
        return (_html_table(_HEADER, rows) if rows else "") + "".join(f"<p>{escape(line)}</p>" for line in self._beside())

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    @cached_property
    def _by_name(self) -> dict[str, Card]:
        return {card.name: card for card in self.cards}

    def _table(self) -> list[tuple[str, ...]]:
        rows = [row for card in self.cards[:_SHOWN] for row in judge(self.config, [card])][:_SHOWN]
        return [
            (
                row.card.name,
                row.port.name,
                row.port.description,
                row.card.owner,
                row.in_words(),
                row.checks(),
                _rows(row.port),
            )
            for row in rows
        ]

    def _beside(self) -> list[str]:
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


_HEADER = ("product", "port", "description", "owner", "freshness / SLA", "checks", "rows")


def _mentions(port: PortCard, words: Sequence[str]) -> bool:
    text = "\n".join((port.name, port.description, *(part for column in port.columns for part in column))).lower()
    return all(word in text for word in words)


def _rows(port: PortCard) -> str:
    return "" if port.rows is None else f"{port.rows:,}"


def _set_aside(entry: Entry) -> str:
    rows = entry.port.quarantined
    return "" if rows is None else f'{rows:,} rows, see kit.read("{entry.id}__quarantine")'


def _shortened(text: str, width: int = 60) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def _text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    # Colours are the reader's own, light or dark: what matters is said in words.
    styles = [_STYLES.get(name, _CELL) for name in header]
    head = "".join(f"<th style='{style}'>{name}</th>" for name, style in zip(header, styles, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row, styles))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str, style: str = _CELL) -> str:
    return f"<td style='{style}'>{escape(text)}</td>"
