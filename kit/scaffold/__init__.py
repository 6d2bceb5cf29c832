"""New files: `kit new`, contract drafts, and the promotion of a notebook to an asset.

A name, a file or a notebook goes in; the files of a product or port come out, all of them or none.
"""

from kit.scaffold import new
from kit.scaffold.blank_notebook import new_blank_notebook
from kit.scaffold.new import Scaffolded
from kit.scaffold.promotion import Promotion, plan_promotion, promote
from kit.scaffold.redraft import draft_of, redraft

__all__ = ["Promotion", "Scaffolded", "draft_of", "new", "new_blank_notebook", "plan_promotion", "promote", "redraft"]
