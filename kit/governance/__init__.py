"""Judgement of a mesh without building it: `kit check`, the contract diff, the policy, the score card and the doctor.

A mesh goes in; findings, changes and scores come out.
"""

from kit.governance.check import check_mesh
from kit.governance.diff import Consumer, PortDiff, ProductDiff, diff
from kit.governance.doctor import examine
from kit.governance.scorecard import TRAITS, Score, scores

__all__ = [
    "TRAITS",
    "Consumer",
    "PortDiff",
    "ProductDiff",
    "Score",
    "check_mesh",
    "diff",
    "examine",
    "scores",
]
