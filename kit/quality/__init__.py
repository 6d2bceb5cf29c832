"""Audits: expectation suites, volume, quarantine.

Parquet files and a contract go in; one `Check` per rule comes out, and the rows set aside.
"""

from typing import TYPE_CHECKING

from kit.core import lazy_face

if TYPE_CHECKING:
    from kit.quality import quarantine, suite, volume
    from kit.quality.audit_target import AuditTarget, age_checks, audit_targets, quarantining, rules, schema_rule
    from kit.quality.evaluation import load_judge
    from kit.quality.table_checks import check_tables
    from kit.quality.trial import Trials

__getattr__ = lazy_face(__name__)

__all__ = [
    "AuditTarget",
    "Trials",
    "age_checks",
    "audit_targets",
    "check_tables",
    "load_judge",
    "quarantine",
    "quarantining",
    "rules",
    "schema_rule",
    "suite",
    "volume",
]
