"""One build of one data product: plan, land, transform, quarantine, audit, mask, publish, record.

A product and a request go in; an `Outcome` with checks and snapshot comes out.
"""

from kit.build.build import BUILT_MEANWHILE, DueCheck, Outcome, build, check_due, refused
from kit.build.consumers import check_consumers
from kit.build.data_code import data_code
from kit.build.expected_checks import ExpectedCheck, expected_checks
from kit.build.incremental import growing_models
from kit.build.listeners import GROUP as LISTENERS
from kit.build.listeners import Listener, notify
from kit.build.masking import fingerprint as mask_key_fingerprint
from kit.build.masking import key_problem, masked_with_other_key
from kit.build.masking import tokens as masking_tokens
from kit.build.model_use import asked_models, model_questions
from kit.build.notebook_ports import check_partition_parameters, declared_parameters
from kit.build.places import begin_environments, forbidden, ingest_process
from kit.build.plan import BuildPlan, BuildRequest, published_entries
from kit.build.preview import PreviewedModel, preview_model, preview_models, preview_notebook, preview_tests
from kit.build.progress import Progress
from kit.build.published_checks import published_checks
from kit.build.redaction import HIDDEN, redact
from kit.build.safety import safety_findings
from kit.build.trial import Trial, trials

__all__ = [
    "BUILT_MEANWHILE",
    "HIDDEN",
    "LISTENERS",
    "BuildPlan",
    "BuildRequest",
    "DueCheck",
    "ExpectedCheck",
    "Listener",
    "Outcome",
    "PreviewedModel",
    "Progress",
    "Trial",
    "asked_models",
    "begin_environments",
    "build",
    "check_consumers",
    "check_due",
    "check_partition_parameters",
    "data_code",
    "declared_parameters",
    "expected_checks",
    "forbidden",
    "growing_models",
    "ingest_process",
    "key_problem",
    "mask_key_fingerprint",
    "masked_with_other_key",
    "masking_tokens",
    "model_questions",
    "notify",
    "preview_model",
    "preview_models",
    "preview_notebook",
    "preview_tests",
    "published_checks",
    "published_entries",
    "redact",
    "refused",
    "safety_findings",
    "trials",
]
