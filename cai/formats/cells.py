"""The parts of a row, each checked, with one clear error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.intake.rows import broken, prompt_of_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.errors import InputError
    from cai.intake.rows import Place
    from cai.records import Prompt

__all__ = ["GIVEN", "Cells", "role_of", "shown"]

_ASKED = ("prompt", "instruction", "question")
GIVEN = ("answer", "completion", "response", "output")
"""Where an answer beside a prompt may stand, the first that is used."""

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Cells:
    """A row, where it stands, and how its parts are read.

    Whoever only looks at rows may read prompts and answers less strictly, in a subclass.
    """

    row: Mapping[str, Any]
    place: Place

    @property
    def asks(self) -> bool:
        """Whether the row has a prompt beside its answers."""
        return any(self.row.get(key) is not None for key in _ASKED)

    @property
    def given(self) -> Any:
        """The answer beside the prompt as the row has it; None where there is none."""
        return next((self.row[key] for key in GIVEN if self.row.get(key) is not None), None)

    def asked(self) -> Prompt:
        """The prompt beside the answers.

        Raises:
            InputError: there is none, or it is no conversation that ends with a user turn.
        """
        key = next((key for key in _ASKED if self.row.get(key) is not None), "prompt")
        return self.prompt(self.row.get(key)) if key == "prompt" else self.instruction(key)

    def instruction(self, key: str) -> Prompt:
        """The text under a key and that of `input`, if any, joined by a blank line; or messages.

        Raises:
            InputError: one is something else, or both are empty.
        """
        if isinstance(self.row.get(key), list):
            return self.prompt(self.row[key])
        text, more = self.text(key), self.text("input")
        return self.prompt(f"{text}\n\n{more}" if more else text)

    def prompt(self, value: Any) -> Prompt:
        """A prompt from a text or a list of messages, with the tags of the row where it has such.

        In files of others `tags` may mean anything; what is no list of texts is passed over.

        Raises:
            InputError: it is no conversation that ends with a user turn.
        """
        key = "messages" if isinstance(value, list) else "prompt"
        if value is None:
            raise self.broken(
                "a row without 'prompt'",
                "'prompt': a text, or a list of messages that ends with a user turn",
                "Add the prompt that was answered.",
            )
        tags = self.row.get("tags")
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            tags = None
        return prompt_of_row({key: value, "tags": tags}, self.place)

    def answer(self, value: Any) -> str:
        """A text, or the content of a list with one message of the assistant.

        Raises:
            InputError: it is neither.
        """
        if isinstance(value, list) and len(value) == 1 and role_of(value[0]) == "assistant":
            value = value[0].get("content")
        if not isinstance(value, str):
            raise self.broken(
                f"the answer {shown(value)}",
                "a text, or a list with one message of the assistant whose content is a text",
                "Write each answer as a text.",
            )
        return value

    def text(self, key: str) -> str:
        """The text under a key; empty when it is missing or null.

        Raises:
            InputError: it is something else.
        """
        value = self.row.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.broken(f"{key}: {shown(value)}", "a text", "Write it in quotes.")
        return value

    def number(self, value: Any, key: str) -> float:
        """A finite number; `p` lies between 0 and 1.

        Raises:
            InputError: it is something else.
        """
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.broken(f"{key}: {shown(value)}", "a number", "Write it without quotes.")
        if not math.isfinite(value):
            raise self.broken(f"{key}: {value}", "a finite number", "Correct it.")
        if key == "p" and not 0.0 <= value <= 1.0:
            raise self.broken(f"p: {value}", "a probability from 0 to 1", "Correct it.")
        return float(value)

    @property
    def source(self) -> str:
        """`ai`, `human` or `revision`; empty where `source` says something else, or nothing."""
        source = self.row.get("source")
        return source if source in ("ai", "human", "revision") else ""

    def broken(self, got: str, allowed: str, fix: str) -> InputError:
        """The error about this row."""
        return broken(self.place, got, allowed, fix)


def role_of(message: Any) -> Any:
    """The role of what may be a message."""
    return message.get("role") if isinstance(message, dict) else None


def shown(value: Any) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
