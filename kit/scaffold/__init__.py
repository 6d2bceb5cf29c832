"""New files: `kit new`, contract drafts, and the promotion of a notebook to an asset.

A name, a file or a notebook goes in; the files of a product or port come out, all of them or none.
"""

from typing import TYPE_CHECKING

from kit.core import lazy_face
from kit.scaffold.redraft import draft_of, redraft

if TYPE_CHECKING:
    from kit.scaffold import new
    from kit.scaffold.blank_notebook import new_blank_notebook
    from kit.scaffold.new import Scaffolded
    from kit.scaffold.promotion import Promotion, plan_promotion, promote
    from kit.scaffold.source_look import check_source, discover_source, preview_source

__getattr__ = lazy_face(__name__)

__all__ = [
    "Promotion",
    "Scaffolded",
    "check_source",
    "discover_source",
    "draft_of",
    "new",
    "new_blank_notebook",
    "plan_promotion",
    "preview_source",
    "promote",
    "redraft",
]
