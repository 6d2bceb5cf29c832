"""One build of one data product: plan, land, transform, quarantine, audit, mask, publish, record.

A product and a request go in; an `Outcome` with checks and snapshot comes out.
"""

from kit.build.build import Outcome, build, check_due
from kit.build.expected_checks import ExpectedCheck, expected_checks
from kit.build.notebook_ports import declared_parameters, partition_problems
from kit.build.plan import BuildPlan, BuildRequest
from kit.build.preview import preview_model, preview_notebook
from kit.build.progress import Progress
from kit.build.redaction import HIDDEN, personal, redact
from kit.build.trial import Trial, Verdict, trials

__all__ = [
    "HIDDEN",
    "BuildPlan",
    "BuildRequest",
    "ExpectedCheck",
    "Outcome",
    "Progress",
    "Trial",
    "Verdict",
    "build",
    "check_due",
    "declared_parameters",
    "expected_checks",
    "partition_problems",
    "personal",
    "preview_model",
    "preview_notebook",
    "redact",
    "trials",
]
