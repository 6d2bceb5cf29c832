"""One request to an endpoint of the OpenAI API, repeated after failures that may pass."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kit.core import ModelError, ModelSettings, __version__, counted, why_it_may_pass
from kit.language_models.answer import Answer, Question

if TYPE_CHECKING:
    import httpx

WAITS = (1.0, 4.0, 16.0)
"""Seconds before each further attempt."""

_LONGEST_WAIT = 60.0
_LARGEST = 8_000_000
"""Bytes of an answer that are read."""


class Unusable(ModelError):
    """The endpoint answered, and its answer is of no use; `spent` has the tokens and the cost that it named."""

    def __init__(self, problem: str, spent: Answer) -> None:
        super().__init__(problem)
        self.spent = spent


class Unanswered(ModelError):
    """The endpoint did not answer, or was overloaded, in all attempts: it would not answer the next question either."""


def complete(settings: ModelSettings, question: Question, key: str, waits: Sequence[float] = WAITS) -> Answer:
    """Return the answer of an endpoint; raises `ModelError` for one that is refused, dead, slow, cut or nonsense."""
    import httpx

    began, left = time.perf_counter(), list(waits)
    while True:
        try:
            return _answer(settings, question, _once(settings, question, key), time.perf_counter() - began)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            passing = why_it_may_pass(error)
            if not passing or not left:
                kind = Unanswered if passing else ModelError
                tries = f" in {counted(len(waits) + 1, 'attempt')}" if passing and waits else ""
                raise kind(
                    f"the model '{settings.name}' at {settings.base_url} gave no answer{tries}: {_reason(error)}"
                ) from error
            time.sleep(_named_wait(error, left.pop(0)))


def _once(settings: ModelSettings, question: Question, key: str) -> Any:
    """Send the request once and return the JSON value of the answer.

    Raises `httpx.HTTPError`, also after `timeout_seconds` of an answer that comes in small parts, and `ValueError`.
    """
    import httpx

    headers = {"User-Agent": f"data-mesh-kit/{__version__}", "Accept": "application/json"}
    headers |= {"Authorization": f"Bearer {key}"} if key else {}
    url, end = f"{settings.base_url}/chat/completions", time.monotonic() + settings.timeout_seconds
    content = bytearray()
    with (
        httpx.Client(timeout=settings.timeout_seconds) as client,
        client.stream("POST", url, json=question.body(settings), headers=headers) as response,
    ):
        for part in response.iter_bytes():
            content += part
            if len(content) > _LARGEST:
                raise ValueError(f"the answer has more than {_LARGEST:,} bytes")
            if time.monotonic() > end:
                raise httpx.ReadTimeout("the answer was not complete in time", request=response.request)
    if not response.is_success:
        problem = f"HTTP status {response.status_code}{_said(bytes(content))}"
        raise httpx.HTTPStatusError(problem, request=response.request, response=response)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        kind = response.headers.get("content-type", "").partition(";")[0] or "text"
        raise ValueError(f"the answer is no JSON, but {kind} that begins with {_beginning(bytes(content))!r}") from None


def _answer(settings: ModelSettings, question: Question, data: Any, seconds: float) -> Answer:
    """Return the answer in the body of a response; raises `ModelError` for one that is incomplete."""
    where, named = f"the model '{settings.name}' at {settings.base_url}", _part(data, "model")
    counts = [_part(data, "usage", name) for name in ("prompt_tokens", "completion_tokens")]
    given, made = (count if type(count) is int and count >= 0 else None for count in counts)
    cost = settings.cost(given, made) if given is not None and made is not None else None
    choice = _part(data, "choices", 0)
    text = _part(choice, "message", "content")
    answer = Answer(
        text if isinstance(text, str) else "", settings.name, named if isinstance(named, str) and named else settings.model,
        question.prompt, question.context, given, made, cost, round(seconds, 3),
    )  # fmt: skip
    if not isinstance(text, str) or not text.strip():
        refusal = _part(choice, "message", "refusal")
        said = f": it refused: {_beginning(refusal.encode())}" if isinstance(refusal, str) else ""
        raise Unusable(f"{where} gave no text{said or ', or its answer is not one of the OpenAI API'}", answer)
    if _part(choice, "finish_reason") == "length":
        limit = question.max_tokens or settings.max_tokens
        raise Unusable(f"the answer of {where} was cut after {limit:,} tokens; ask for less, or raise max_tokens", answer)
    if None in (given, made) and (settings.token_budget is not None or settings.cost_budget is not None):
        raise Unusable(f"{where} does not say how many tokens it used, so that its budget cannot be kept", answer)
    return answer


def _part(data: Any, *steps: str | int) -> Any:
    """Return the value at a place of a JSON value; None when there is none."""
    for step in steps:
        fits = isinstance(data, Mapping) if isinstance(step, str) else isinstance(data, list) and len(data) > step
        data = (data.get(step) if isinstance(data, Mapping) else data[step]) if fits else None
    return data


def _said(content: bytes) -> str:
    """What the body of an error says, by the form that endpoints of this API use, else its beginning."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        data = None
    message = _part(data, "error", "message") or _part(data, "error") or _part(data, "message")
    text = message if isinstance(message, str) else content.decode(errors="replace")
    return f": {_beginning(text.encode())}" if text.strip() else ""


def _beginning(content: bytes) -> str:
    return " ".join(content[:1000].decode(errors="replace").split())[:200]


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _named_wait(error: Exception, wait: float) -> float:
    """The time that an overloaded endpoint asks to wait, else `wait`."""
    response: httpx.Response | None = getattr(error, "response", None)
    named = response.headers.get("retry-after", "") if response is not None else ""
    return min(float(named), _LONGEST_WAIT) if named.isdigit() else wait
