"""One build of one data product: plan, land, transform, quarantine, audit, mask, publish, record.

A product and a request go in; an `Outcome` with checks and snapshot comes out.
"""

from kit.build import masking
from kit.build.build import Look, Outcome, build, look
from kit.build.expected_checks import Promise, promises
from kit.build.model_preview import rehearse
from kit.build.plan import Request, declared_parameters, partition_problems
from kit.build.progress import Progress
from kit.build.redaction import HIDDEN, discreet, personal
from kit.build.trial import Trial, trials

__all__ = [
    "HIDDEN",
    "Look",
    "Outcome",
    "Progress",
    "Promise",
    "Request",
    "Trial",
    "build",
    "declared_parameters",
    "discreet",
    "look",
    "masking",
    "partition_problems",
    "personal",
    "promises",
    "rehearse",
    "trials",
]
