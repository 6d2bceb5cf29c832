"""One build of one data product: plan, land, transform, quarantine, audit, mask, publish, record.

A product and a request go in; an `Outcome` with checks and snapshot comes out.
"""

from kit.build import masking
from kit.build.build import DueCheck, Outcome, build, check_due
from kit.build.expected_checks import ExpectedCheck, expected_checks
from kit.build.model_preview import preview_model
from kit.build.plan import BuildRequest, check_partition_parameters, declared_parameters
from kit.build.progress import Progress
from kit.build.redaction import HIDDEN, personal, redact
from kit.build.trial import Trial, trials

__all__ = [
    "HIDDEN",
    "BuildRequest",
    "DueCheck",
    "ExpectedCheck",
    "Outcome",
    "Progress",
    "Trial",
    "build",
    "check_due",
    "check_partition_parameters",
    "declared_parameters",
    "expected_checks",
    "masking",
    "personal",
    "preview_model",
    "redact",
    "trials",
]
