"""The mesh for outside systems: lineage events, catalogs, BI tools and open table formats, one module for each.

Contracts, snapshots and run records go in; files, requests and tables of another system come out. Modules that follow builds
and publications are listeners, which builds find by entry point; no other package below the faces imports this one.
"""

__all__: list[str] = []
