"""Audits: expectation suites, volume, quarantine.

Parquet files and a contract go in; one `Check` per rule comes out, and the rows set aside.
"""

from kit.quality import quarantine, suite, volume
from kit.quality.audit import AuditTarget, quarantining, read_suite, rules, schema_rule, subjects
from kit.quality.table_checks import check_tables

__all__ = [
    "AuditTarget",
    "check_tables",
    "quarantine",
    "quarantining",
    "read_suite",
    "rules",
    "schema_rule",
    "subjects",
    "suite",
    "volume",
]
