"""New files: `kit new`, contract drafts, and the promotion of a notebook to an asset.

A name, a file or a notebook goes in; the files of a product or port come out, all of them or none.
"""

from kit.scaffold import new
from kit.scaffold.blank_notebook import blank
from kit.scaffold.contract_draft import draft
from kit.scaffold.new import Scaffolded
from kit.scaffold.promotion import Promotion, carry_out, plan

__all__ = ["Promotion", "Scaffolded", "blank", "carry_out", "draft", "new", "plan"]
