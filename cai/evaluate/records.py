"""What is evaluated, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cai.config import ModelConfig
    from cai.records import CompletionOutcome, Prompt

__all__ = ["Answered", "Subject"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A model under test, and its name in tables."""

    name: str
    model: ModelConfig


@dataclass(frozen=True, slots=True)
class Answered:
    """What a subject said to a prompt; `text` is as it was generated, whatever the outcome.

    `sample` counts answers to the same prompt from 0. `error` says why there is no answer.
    """

    subject: str
    prompt: Prompt
    sample: int
    text: str
    outcome: CompletionOutcome
    request_id: str
    error: str = ""

    @property
    def usable(self) -> bool:
        """Whether there is a text to judge: neither failed nor empty."""
        return not self.error and bool(self.text.strip())
