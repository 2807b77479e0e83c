"""What trainers learn from: one record for each kind of example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cai.records import Message

__all__ = ["Demonstration", "Origin", "Preference", "PromptExample", "Ranking", "Rating"]

Origin = Literal["ai", "human"]


@dataclass(frozen=True, slots=True)
class PromptExample:
    """A conversation that waits for an answer."""

    messages: tuple[Message, ...]
    id: str


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A conversation and the answer to imitate."""

    prompt: tuple[Message, ...]
    answer: str
    id: str
    origin: Origin = "ai"


@dataclass(frozen=True, slots=True)
class Preference:
    """Two answers; `p` is the probability that `chosen` is better, from 0.5 to 1."""

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    p: float
    id: str
    origin: Origin = "ai"


@dataclass(frozen=True, slots=True)
class Ranking:
    """Answers to one prompt, best first."""

    prompt: tuple[Message, ...]
    answers: tuple[str, ...]
    id: str
    origin: Origin = "ai"


@dataclass(frozen=True, slots=True)
class Rating:
    """An answer and its rating; the model learns the rating as it is."""

    prompt: tuple[Message, ...]
    answer: str
    rating: float
    id: str
    origin: Origin = "ai"
