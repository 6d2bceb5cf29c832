"""One port as the catalog knows it."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from kit.core import Config, KitError, database, table_lines
from kit.drawing import markup
from kit.mesh import Context
from kit.notebooks import reading
from kit.storage import PortStatus, PortSummary, ProductSummary, span

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from kit.drawing import Picture

_COLUMNS = ("column", "type", "description")


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
    def card(self) -> ProductSummary:
        """The product it is a port of."""
        return self.status.card

    @property
    def port(self) -> PortSummary:
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
        return database.relation(reading.files(self.id, None, self.config), connection)

    def to_pandas(self) -> Any:
        """Its current snapshot as a pandas DataFrame; raises `KitError` where pandas is not installed."""
        if missing := [name for name in ("pandas", "pyarrow") if find_spec(name) is None]:
            raise KitError(f"{' and '.join(missing)} is not installed; run `pip install {' '.join(missing)}`, or use read()")
        return self.read().to_pandas()

    def lineage(self, column: str | None = None) -> "Picture":
        """What it, or one of its columns, is made from, and what is made from that."""
        from kit.catalog import lineage_diagram

        mesh = Context(self.config).mesh
        if column is None:
            return lineage_diagram.of_port(mesh, self.id)
        return lineage_diagram.of_column(self.config, mesh, self.id, column)

    def quality(self) -> "Picture":
        """What each of its checks found in the newest builds."""
        from kit.catalog import quality_grid

        return quality_grid.of_port(self.config, self.id)

    def rows(self) -> str:
        """How many rows its snapshot has; empty without one."""
        return "" if self.port.rows is None else f"{self.port.rows:,}"

    def facts(self) -> dict[str, str]:
        """What is known about it besides its columns, in words."""
        sla, aside = self.port.sla, self.port.quarantined
        promised = {"data at most {} old": sla.latency, "published every {}": sla.frequency, "kept for {}": sla.retention}
        facts = {
            "product": f"{self.card.name}: {self.card.description}" if self.card.description else self.card.name,
            "domain": self.card.domain,
            "owner": " ".join(filter(None, (self.card.owner, f"({self.card.contact})" if self.card.contact else ""))),
            "tags": ", ".join(self.card.tags),
            "promised": ", ".join(text.format(span(level)) for text, level in promised.items() if level),
            "freshness": self.status.in_words(),
            "checks": self.status.checks(),
            "rows": self.rows(),
            "set aside": "" if aside is None else f'{aside:,} rows, see kit.read("{self.id}__quarantine")',
            "snapshot": self.status.version or "",
            "contract": self.port.contract_version or "",
            "parameters": ", ".join(self.port.parameters),
            "read it": f'kit.read("{self.id}")',
        }
        return {name: text for name, text in facts.items() if text}

    def __repr__(self) -> str:
        lines = [self.id, *([self.port.description] if self.port.description else []), ""]
        lines += [f"{name:<10} {text}" for name, text in self.facts().items()]
        return "\n".join([*lines, "", *table_lines(_COLUMNS, self.port.columns)])

    def _repr_html_(self) -> str:
        name = markup.paragraph(markup.lines(markup.bold(self.id), self.port.description))
        facts = markup.facts({fact: markup.states(text) for fact, text in self.facts().items()})
        return markup.joined((name, facts, markup.table(_COLUMNS, self.port.columns)))
