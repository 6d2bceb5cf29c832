"""One port in the catalog."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from kit.core import Config, KitError, counted, database, table_lines
from kit.drawing import markup
from kit.mesh import Context
from kit.notebooks import Preview, asset, reading
from kit.storage import PortStatus, PortSummary, ProductSummary, format_duration

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from kit.drawing import Picture

_COLUMNS = ("column", "type", "key", "classification", "mask", "description")


@dataclass(frozen=True)
class Entry:
    """One port: its facts and status, and the functions that read and draw it."""

    config: Config
    status: PortStatus

    @property
    def id(self) -> str:
        """`PRODUCT.PORT`."""
        return f"{self.product.name}.{self.port.name}"

    @property
    def product(self) -> ProductSummary:
        """The product of the port."""
        return self.status.product

    @property
    def port(self) -> PortSummary:
        """The facts of the port."""
        return self.status.port

    def read(self, version: str | None = None) -> "pl.DataFrame":
        """Read the current (or the named) snapshot as a polars DataFrame."""
        return reading.read(self.id, version, self.config)

    def scan(self, version: str | None = None) -> "pl.LazyFrame":
        """Scan the current (or the named) snapshot as a polars LazyFrame."""
        return reading.scan(self.id, version, self.config)

    def to_duckdb(self, connection: "duckdb.DuckDBPyConnection | None" = None) -> "duckdb.DuckDBPyRelation":
        """Return the current snapshot as a DuckDB relation; relations can be joined when they have the same `connection`."""
        return database.relation(reading.files(self.id, None, self.config), connection)

    def to_pandas(self, decimals: Literal["exact", "float"] = "exact") -> Any:
        """Read the current snapshot as a pandas DataFrame; raises `KitError` where pandas is not installed.

        Dates are datetime64[ms], decimals `Decimal`: what `.to_pandas()` of polars makes of every frame of the kit. Sums of
        these are exact, but `describe()` leaves them out, and charts cannot draw them; `decimals="float"` makes floats.
        """
        if decimals not in ("exact", "float"):
            raise KitError(f"decimals='{decimals}' is not known; write 'exact' or 'float'")
        if missing := [name for name in ("pandas", "pyarrow") if find_spec(name) is None]:
            raise KitError(f"{' and '.join(missing)} is not installed; run `pip install {' '.join(missing)}`, or use read()")
        frame = self.read()
        if decimals == "float":
            import polars.selectors as cs

            frame = frame.cast({cs.decimal(): float})
        return frame.to_pandas()

    def lineage(self, column: str | None = None) -> "Picture":
        """Draw the lineage of the port, or of one of its columns."""
        from kit.catalog import lineage_diagram

        context = Context(self.config)
        if column is None:
            return lineage_diagram.draw_port(context.mesh, self.id)
        return lineage_diagram.draw_column(context, self.id, column)

    def quality(self) -> "Picture":
        """Draw the results of each check of the port in the newest builds."""
        from kit.catalog import quality_grid

        return quality_grid.draw_port(self.config, self.id)

    def checks(self, version: str | None = None) -> "pl.DataFrame":
        """Return the results of the checks of the current (or the named) snapshot, raw data and models of the product included.

        >>> cat["orders.daily_sales"].checks().filter(table="daily_sales")
        """
        from kit.catalog import evidence

        return evidence.checks_of(self.config, self.id, version)

    def snapshots(self) -> "pl.DataFrame":
        """Return the snapshots of the port that can be read, the newest first: version, time, commit, rows.

        >>> cat.read("orders.daily_sales", cat["orders.daily_sales"].snapshots()["version"][-1])
        """
        from kit.catalog import evidence

        return evidence.snapshots_of(self.config, self.id)

    def origins(self, version: str | None = None) -> "pl.DataFrame":
        """Return all snapshots and raw files that the current (or the named) snapshot was made from.

        >>> cat["demand.predicted_sales"].origins()
        """
        from kit.catalog import evidence

        return evidence.origins_of(self.config, self.id, version)

    def check(self, frame: Any) -> Preview:
        """Check a polars (or pandas) DataFrame by the contract of the port and return the verdict; nothing is published.

        >>> cat["orders.daily_sales"].check(frame)
        """
        mesh = Context(self.config).mesh
        port = mesh.port(self.id)
        return asset.preview_of(self.config, mesh.product(self.product.name), port, frame, suites=False)

    def format_rows(self) -> str:
        """Return the number of rows in the current snapshot; empty without one."""
        return "" if self.port.rows is None else f"{self.port.rows:,}"

    def facts(self) -> dict[str, str]:
        """Return the facts of the port, except its columns, as text."""
        sla, quarantined = self.port.sla, self.port.quarantined
        service_levels = {"data at most {} old": sla.latency, "published every {}": sla.frequency, "kept for {}": sla.retention}
        facts = {
            "product": f"{self.product.name}: {self.product.description}" if self.product.description else self.product.name,
            "domain": self.product.domain,
            "owner": " ".join(filter(None, (self.product.owner, f"({self.product.contact})" if self.product.contact else ""))),
            "tags": ", ".join(self.product.tags),
            "promised": ", ".join(text.format(format_duration(level)) for text, level in service_levels.items() if level),
            "freshness": self.status.describe(),
            "checks": self.status.describe_checks(),
            "rows": self.format_rows(),
            "quarantined": ""
            if quarantined is None
            else f'{counted(quarantined, "row")}, see kit.read("{self.id}__quarantine")',
            "snapshot": self.status.version or "",
            "contract": self.port.contract_version or "",
            "parameters": ", ".join(self.port.parameters),
            "read it": f'kit.read("{self.id}")',
        }
        return {name: text for name, text in facts.items() if text}

    def __repr__(self) -> str:
        lines = [self.id, *([self.port.description] if self.port.description else []), ""]
        lines += [f"{name:<11} {text}" for name, text in self.facts().items()]
        return "\n".join([*lines, "", *table_lines(_COLUMNS, self._column_rows())])

    def _repr_html_(self) -> str:
        name = markup.paragraph(markup.lines(markup.bold(self.id), self.port.description))
        facts = markup.fact_table({fact: markup.colour_states(text) for fact, text in self.facts().items()})
        return markup.joined((name, facts, markup.table(_COLUMNS, self._column_rows())))

    def _column_rows(self) -> list[tuple[str, ...]]:
        return [
            (column.name, column.type, "key" if column.is_key else "", column.classification, column.mask, column.description)
            for column in self.port.columns
        ]
