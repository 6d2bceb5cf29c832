"""Language models: a question goes to an endpoint of the OpenAI API, or to what it answered before; an `Answer` comes out.

Budgets are kept, answers are stored by content, and secrets leave no process.
"""

from typing import TYPE_CHECKING

from kit.core import lazy_face

if TYPE_CHECKING:
    from kit.language_models.answer import FOLDER, Answer, Question
    from kit.language_models.egress import SentPort, refusal
    from kit.language_models.models import Models
    from kit.language_models.usage import ModelUsage

__getattr__ = lazy_face(__name__)

__all__ = ["FOLDER", "Answer", "ModelUsage", "Models", "Question", "SentPort", "refusal"]
