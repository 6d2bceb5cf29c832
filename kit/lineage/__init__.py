"""Lineage of tables and columns, read from the SQL and Python of the products, of which nothing is run.

A mesh goes in; graphs of tables and columns come out, and everything that a text of SQL or Python refers to.
"""

from typing import TYPE_CHECKING

from kit.core import lazy_face
from kit.lineage.source_kinds import SourceCall, missing_functions, source_calls, source_kinds

if TYPE_CHECKING:
    from kit.lineage.columns import Flow, column_flows, column_lineage, column_use
    from kit.lineage.consumers import affected_columns
    from kit.lineage.graph import (
        LineageNode,
        downstream,
        hide_models,
        hide_nodes,
        lineage,
        lineage_svg,
        product_nodes,
        upstream,
    )  # fmt: skip
    from kit.lineage.product_sql import sql_references
    from kit.lineage.python import external_reads, ingest_reads, notebook_columns, notebook_reads
    from kit.lineage.python_columns import notebook_flows
    from kit.lineage.python_reader import InputRead
    from kit.lineage.sql import SqlReader, SqlWord, names_in, read_sql, sql_words
    from kit.lineage.sql_columns import weaker

__getattr__ = lazy_face(__name__)

__all__ = [
    "Flow",
    "InputRead",
    "LineageNode",
    "SourceCall",
    "SqlReader",
    "SqlWord",
    "affected_columns",
    "column_flows",
    "column_lineage",
    "column_use",
    "downstream",
    "external_reads",
    "hide_models",
    "hide_nodes",
    "ingest_reads",
    "lineage",
    "lineage_svg",
    "missing_functions",
    "names_in",
    "notebook_columns",
    "notebook_flows",
    "notebook_reads",
    "product_nodes",
    "read_sql",
    "source_calls",
    "source_kinds",
    "sql_references",
    "sql_words",
    "upstream",
    "weaker",
]
