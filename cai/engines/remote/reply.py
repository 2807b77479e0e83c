"""From the JSON of a chat completion to a `Completion`. The shape is checked, never assumed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NotRequired

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from cai.engines.remote.failure import classify, clean, refused
from cai.engines.structured import schema_problem
from cai.errors import RowEngineError, TransientEngineError
from cai.records import Completion, TokenAlternative, Usage

if TYPE_CHECKING:
    from cai.records import CompletionOutcome, Request

__all__ = ["known_models", "read_reply"]

_FINISHED = frozenset({None, "stop", "stop_sequence", "end_turn", "eos_token"})


# Dictionaries and not models: pydantic checks them in half the time, and every call has a reply.


class _Alternative(TypedDict):
    token: str
    logprob: float


class _Token(TypedDict, total=False):
    top_logprobs: list[_Alternative] | None


class _Logprobs(TypedDict, total=False):
    content: list[_Token] | None


class _Message(TypedDict, total=False):
    content: str | None
    refusal: str | None


class _Choice(TypedDict):
    message: _Message
    finish_reason: NotRequired[str | None]
    logprobs: NotRequired[_Logprobs | None]


class _Cached(TypedDict, total=False):
    cached_tokens: int | None


class _Usage(TypedDict, total=False):
    prompt_tokens: int | None
    completion_tokens: int | None
    prompt_tokens_details: _Cached | None


class _Reply(TypedDict, total=False):
    choices: list[_Choice] | None
    error: Any
    usage: _Usage | None
    model: str | None
    system_fingerprint: str | None


class _Model(TypedDict):
    id: str


class _Models(TypedDict):
    data: list[_Model]


_REPLIES = TypeAdapter(_Reply)
_MODELS = TypeAdapter(_Models)


def known_models(content: bytes) -> list[str] | None:
    """The ids that `GET /models` lists, or None when the answer is no such list."""
    try:
        return [model["id"] for model in _MODELS.validate_json(content)["data"]]
    except ValidationError:
        return None


def read_reply(content: bytes, request: Request, model: str, secret: str | None) -> Completion:
    """Read the body of a successful response.

    Args:
        content: JSON as it came.
        request: what was asked.
        model: the name that was asked for, used if the reply names none.
        secret: the key, to be kept out of messages.

    Raises:
        RowEngineError: the reply holds no usable answer.
        TransientEngineError: the body is cut off or no JSON.
        FatalEngineError: the body reports an error that holds for every request.
    """
    reply = _parse(content, secret)
    version = "/".join(filter(None, (reply.get("model") or model, reply.get("system_fingerprint"))))
    version = clean(version, secret)
    error, choices = reply.get("error"), reply.get("choices")
    if error and not choices:
        if refused(error):
            return Completion("", "refused", model=version)
        # Routers report the failure of the server behind them in a response of status 200.
        code = error.get("code") if isinstance(error, dict) else None
        status = code if isinstance(code, int) and 400 <= code < 600 else 422
        raise classify(status, error, {}, secret)
    if not choices:
        raise RowEngineError("The server's reply has no choices; it must have one")
    choice = choices[0]
    first = _first_logprobs(choice.get("logprobs"), request.sampling.top_logprobs)
    # A judge asks for one token and reads its alternatives; the limit cuts nothing off there.
    whole = bool(first) and request.sampling.max_tokens == 1
    text, outcome = _answer(choice, whole, secret)
    schema = request.response_schema
    if outcome == "answered" and schema is not None and (why := schema_problem(text, schema)):
        raise RowEngineError(clean(why, secret))
    return Completion(text, outcome, _usage(reply.get("usage")), first, version)


def _parse(content: bytes, secret: str | None) -> _Reply:
    try:
        return _REPLIES.validate_json(content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in found["loc"])
    why = clean(f"{where} {found['msg']}", secret)
    if found["type"] == "json_invalid":
        raise TransientEngineError(f"The server's reply is no JSON: {why}")
    raise RowEngineError(f"The server's reply is no chat completion: {why}")


def _answer(choice: _Choice, whole: bool, secret: str | None) -> tuple[str, CompletionOutcome]:
    message, finish = choice["message"], choice.get("finish_reason")
    text, refusal = message.get("content"), message.get("refusal")
    if refusal:
        return text or refusal, "refused"
    if finish == "content_filter":
        return text or "", "refused"
    if finish == "length":
        # Without text, a reasoning model has used up the limit before it came to an answer.
        return text or "", "answered" if whole else "truncated"
    if finish not in _FINISHED:
        said = clean(finish or "", secret)
        raise RowEngineError(
            f"The server ended the answer with finish_reason {said!r}; "
            "it must be 'stop', 'length' or 'content_filter'"
        )
    if text is None:
        raise RowEngineError("The server's reply has neither content nor a refusal")
    return text, "answered"


def _first_logprobs(logprobs: _Logprobs | None, count: int) -> tuple[TokenAlternative, ...]:
    tokens = (logprobs or {}).get("content")
    if not count or not tokens:
        return ()
    found = [
        TokenAlternative(a["token"], a["logprob"])
        for a in tokens[0].get("top_logprobs") or ()
        if math.isfinite(a["logprob"])
    ]
    return tuple(sorted(found, key=lambda a: -a.logprob)[:count])


def _usage(usage: _Usage | None) -> Usage:
    if usage is None:
        return Usage()
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        usage.get("prompt_tokens") or 0,
        usage.get("completion_tokens") or 0,
        details.get("cached_tokens") or 0,
    )
