"""Audits: expectation suites, volume, quarantine.

Parquet files and a contract go in; one `Check` per rule comes out, and the rows set aside.
"""

from kit.quality import quarantine, suite, volume
from kit.quality.audit import audit
from kit.quality.audit_target import AuditTarget, audit_targets, quarantining, rules, schema_rule

__all__ = [
    "AuditTarget",
    "audit",
    "audit_targets",
    "quarantine",
    "quarantining",
    "rules",
    "schema_rule",
    "suite",
    "volume",
]
