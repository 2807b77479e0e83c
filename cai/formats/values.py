"""The parts of a row, each checked, with one clear error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cai.intake.rows import broken, prompt_of_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.intake.rows import Place
    from cai.records import Prompt

__all__ = ["answer_of", "number_of", "prompt_of", "role_of", "shown", "source_of", "text_of"]

_SHOWN = 60


def prompt_of(value: Any, row: Mapping[str, Any], place: Place) -> Prompt:
    """A prompt from a text or a list of messages, with the tags of the row where it has such.

    In files of others `tags` may mean anything; what is no list of texts is passed over.

    Raises:
        InputError: it is no conversation that ends with a user turn.
    """
    key = "messages" if isinstance(value, list) else "prompt"
    if value is None:
        raise broken(
            place,
            "a row without 'prompt'",
            "'prompt': a text, or a list of messages that ends with a user turn",
            "Add the prompt that was answered.",
        )
    tags = row.get("tags")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        tags = None
    return prompt_of_row({key: value, "tags": tags}, place)


def answer_of(value: Any, place: Place) -> str:
    """A text, or the content of a list with one message of the assistant.

    Raises:
        InputError: it is neither.
    """
    if isinstance(value, list) and len(value) == 1 and role_of(value[0]) == "assistant":
        value = value[0].get("content")
    if not isinstance(value, str):
        raise broken(
            place,
            f"the answer {shown(value)}",
            "a text, or a list with one message of the assistant whose content is a text",
            "Write each answer as a text.",
        )
    return value


def text_of(row: Mapping[str, Any], key: str, place: Place) -> str:
    """The text under a key; empty when it is missing or null.

    Raises:
        InputError: it is something else.
    """
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise broken(place, f"{key}: {shown(value)}", "a text", "Write it in quotes.")
    return value


def source_of(row: Mapping[str, Any]) -> str:
    """`ai` or `human` where the row says so; `source` means other things in other files."""
    source = row.get("source")
    return source if source in ("ai", "human") else ""


def number_of(value: Any, key: str, place: Place) -> float:
    """A finite number; `p` lies between 0 and 1.

    Raises:
        InputError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise broken(place, f"{key}: {shown(value)}", "a number", "Write it without quotes.")
    if not math.isfinite(value):
        raise broken(place, f"{key}: {value}", "a finite number", "Correct it.")
    if key == "p" and not 0.0 <= value <= 1.0:
        raise broken(place, f"p: {value}", "a probability from 0 to 1", "Correct it.")
    return float(value)


def role_of(message: Any) -> Any:
    """The role of what may be a message."""
    return message.get("role") if isinstance(message, dict) else None


def shown(value: Any) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
