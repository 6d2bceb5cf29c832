"""Judgement of a mesh without building it: `kit check`, the contract diff, the policy, the score card and the doctor.

A mesh goes in; findings, changes and scores come out.
"""

from typing import TYPE_CHECKING

from kit.core import lazy_face
from kit.governance.diff import Consumer, PortDiff, ProductDiff, diff
from kit.governance.repair import repair

if TYPE_CHECKING:
    from kit.governance.check import check_mesh
    from kit.governance.doctor import examine
    from kit.governance.scorecard import TRAITS, Score, scores
    from kit.governance.secret_values import check_secrets
    from kit.governance.value_lists import check_value_lists
    from kit.governance.verification import Verification

__getattr__ = lazy_face(__name__)

__all__ = [
    "TRAITS",
    "Consumer",
    "PortDiff",
    "ProductDiff",
    "Score",
    "Verification",
    "check_mesh",
    "check_secrets",
    "check_value_lists",
    "diff",
    "examine",
    "repair",
    "scores",
]
