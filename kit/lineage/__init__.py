"""Lineage of tables and columns, from the SQL and Python of the products without running either.

A mesh goes in; graphs of tables and columns, and the tables that SQL or Python reads, come out.
"""

from kit.lineage import columns
from kit.lineage.graph import Node, downstream, lineage, nodes, picture, upstream, without, without_models
from kit.lineage.python_reads import CodePlace, PythonReads, ingest_reads, notebook_reads
from kit.lineage.sql_tables import reaches

__all__ = [
    "CodePlace",
    "Node",
    "PythonReads",
    "columns",
    "downstream",
    "ingest_reads",
    "lineage",
    "nodes",
    "notebook_reads",
    "picture",
    "reaches",
    "upstream",
    "without",
    "without_models",
]
