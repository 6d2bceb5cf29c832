"""`kit.model`: how notebooks and people ask a language model of the mesh."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.core import KitError, ModelSettings, Secrets
from kit.language_models import Answer, Models, ModelUsage, Question, SentPort, refusal
from kit.mesh import Context
from kit.notebooks.model_channel import ask_build, is_open
from kit.notebooks.ports_read import ports_read


@dataclass(frozen=True)
class Model:
    """A language model of the mesh, by its name in `[tool.kit.models]`."""

    name: str

    def ask(
        self,
        prompt: str | Sequence[Mapping[str, str]],
        *,
        system: str = "",
        key: str = "",
        context: Sequence[str] = (),
        max_tokens: int | None = None,
    ) -> Answer:
        """Return the answer to a prompt, or to a list of messages of a chat; what was asked before is not asked again.

        `key` finds a committed answer, where the model is a file of these. `context` are ids of what the prompt was made from,
        which the answer repeats. Raises `ModelError` when there is no answer: an unknown model, an endpoint that is dead, slow,
        refuses or answers nonsense, a budget that is used up, a port whose contract does not allow the endpoint.

        >>> kit.model("acme").ask("Which cheese is blue?").text
        """
        question = Question.of(prompt, system, key, context, max_tokens)
        if is_open():
            return ask_build(self.name, question)
        mesh = Context.load()
        scrub, usage = Secrets.from_environment(mesh.config).scrubbed, _usage.setdefault(mesh.config.root, {})
        return Models(mesh.config, scrub, usage=usage).ask(self.name, question, lambda settings: _by_hand(mesh, settings))


def model(name: str) -> Model:
    """Return a language model of the mesh by its name in the settings; `ask` raises `ModelError` for one that it lacks.

    In a build its notebook may ask only endpoints that the contract of each of its inputs allows (`modelEndpoints`), by hand
    those that the contracts of all ports allow which this process has read.

    >>> kit.model("acme").ask("Which cheese is blue?").text
    """
    return Model(name)


_usage: dict[Path, dict[str, ModelUsage]] = {}
"""What this process asked of the models of each mesh; budgets count over all cells of a notebook."""


def _by_hand(context: Context, settings: ModelSettings) -> str:
    return refusal(settings, [_port(context, port) for port in ports_read()])


def _port(context: Context, port: str) -> SentPort:
    try:
        return SentPort(port, context.mesh.port(port).contract.model_endpoints)
    except KitError:
        return SentPort(port, None)
