"""The catalog: `kit.open()`, the browser with its tabs, the pictures and the report.

The storage's index, snapshots and run records go in; tables, widgets, pictures and HTML pages come out.
"""

from kit.catalog.catalog import Catalog, open_catalog
from kit.catalog.entry import Entry
from kit.catalog.report import write_report

__all__ = ["Catalog", "Entry", "open_catalog", "write_report"]
