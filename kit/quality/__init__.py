"""Audits: expectation suites, volume, quarantine.

Parquet files and a contract go in; one `Check` per rule comes out, and the rows set aside.
"""

from kit.quality import quarantine, suite, volume
from kit.quality.audit import AuditTarget, audit, quarantining, read_suite, rules, schema_rule, subjects

__all__ = [
    "AuditTarget",
    "audit",
    "quarantine",
    "quarantining",
    "read_suite",
    "rules",
    "schema_rule",
    "subjects",
    "suite",
    "volume",
]
