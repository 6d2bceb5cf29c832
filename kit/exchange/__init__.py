"""The mesh for outside systems: lineage events, catalogs, BI tools and open table formats, one module for each.

Contracts, snapshots and run records go in; files, requests and tables of another system come out. Modules that follow builds
and publications are listeners, which builds find by entry point; no other package below the faces imports this one.
"""

from kit.exchange.datahub import datahub_records
from kit.exchange.iceberg import export_iceberg
from kit.exchange.openlineage_export import export_openlineage

__all__ = ["datahub_records", "export_iceberg", "export_openlineage"]
