"""The older protocol, `POST /completions`: a conversation written out as text, and its reply.

For base models, and for servers that know no chat endpoint.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cai.engines.remote.body import chat_body
from cai.engines.remote.reply import read_reply
from cai.templates import transcript

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.records import Completion, Message, Request

__all__ = ["as_text", "read_text_reply", "text_body"]

_NEXT_TURN = "\n\nUser:"
_MOST_LOGPROBS, _MOST_LOGPROBS_AT_OPENAI = 20, 5
_MOST_STOPS = 4
_CHAT_ONLY = ("messages", "max_completion_tokens", "logprobs", "top_logprobs")


def as_text(messages: Sequence[Message]) -> str:
    r"""A conversation as text that a language model goes on with: named turns, the last one open.

    Example:
        >>> from cai.records import Message
        >>> as_text([Message("system", "Be kind."), Message("user", "Hello?")])
        'System: Be kind.\n\nUser: Hello?\n\nAssistant:'
    """
    stripped = [replace(message, content=message.content.strip()) for message in messages]
    return f"{transcript(stripped)}\n\nAssistant:"


def text_body(request: Request, model: str, *, at_openai: bool) -> dict[str, Any]:
    """What `POST /completions` is sent, as plain data.

    Args:
        request: what to ask.
        model: its name at the server.
        at_openai: whether the server is OpenAI's own, which gives fewer log-probabilities.
    """
    sampling = request.sampling
    body = chat_body(request, model, at_openai=at_openai)
    for name in _CHAT_ONLY:
        body.pop(name, None)
    body["prompt"] = as_text(request.messages)
    body["max_tokens"] = sampling.max_tokens
    # A base model does not know that its turn is over and would go on with the user's.
    body["stop"] = [*sampling.stop, _NEXT_TURN][: _MOST_STOPS if at_openai else None]
    if sampling.top_logprobs:
        most = _MOST_LOGPROBS_AT_OPENAI if at_openai else _MOST_LOGPROBS
        body["logprobs"] = min(sampling.top_logprobs, most)
    return body


def read_text_reply(content: bytes, request: Request, model: str, secret: str | None) -> Completion:
    """Read the body of a successful response.

    The space that separates the answer from "Assistant:" is no part of it.

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
    try:
        reply = json.loads(content)
    except (ValueError, RecursionError):
        # Bodies that are no JSON are told apart there.
        return read_reply(content, request, model, secret)
    choices = reply.get("choices") if isinstance(reply, dict) else None
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        content = json.dumps({**reply, "choices": [_as_chat(choices[0])]}).encode()
    return read_reply(content, request, model, secret)


def _as_chat(choice: dict[str, Any]) -> dict[str, Any]:
    """The same choice in the shape of the chat protocol."""
    text = choice.get("text")
    if isinstance(text, str):
        text = text.removeprefix(" ")
    logprobs = choice.get("logprobs")
    if isinstance(logprobs, dict) and "content" not in logprobs:
        logprobs = _first_token(logprobs.get("top_logprobs"))
    return {
        "message": {"content": text},
        "finish_reason": choice.get("finish_reason"),
        "logprobs": logprobs,
    }


def _first_token(top_logprobs: object) -> dict[str, Any] | None:
    first = top_logprobs[0] if isinstance(top_logprobs, list) and top_logprobs else None
    if not isinstance(first, dict):
        return None
    alternatives = [
        {"token": token, "logprob": value} for token, value in first.items() if value is not None
    ]
    return {"content": [{"top_logprobs": alternatives}]}
