"""All checks of tables before they may be published: rows set aside, contract and suites, volume."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kit.contracts import Check
from kit.core import database
from kit.quality import quarantine, volume
from kit.quality.audit import audit
from kit.quality.audit_target import AuditTarget
from kit.quality.quarantine import SplitFile
from kit.quality.verdicts import Verdicts


def check_tables(
    targets: Sequence[AuditTarget],
    tables: database.Tables,
    split: Mapping[str, Sequence[SplitFile]],
    clock: datetime,
    last: Mapping[str, Any] | None,
    verdicts: Verdicts | None = None,
) -> tuple[Check, ...]:
    """Check that few enough rows were set aside, then audit what is left and compare its volume with the last snapshot.

    `split` has the files of each table that sets rows aside, `last` is the manifest of the last snapshot, None when there
    is none, `verdicts` are the results of rules that hold on. When too many rows were set aside nothing else is checked.
    Raises `InvalidFile` for a rule that cannot be run.
    """
    checks = [
        check
        for target in targets
        if target.contract.quarantining
        for check in quarantine.checks(target.contract, target.table, split[target.table])
    ]
    if not any(check.blocks for check in checks):
        checks += audit(targets, tables, clock, verdicts)
        checks += volume.checks(targets, tables, last)
    return tuple(checks)
