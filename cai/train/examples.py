"""What trainers learn from: one record for each kind of example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cai.records import Message

__all__ = [
    "Demonstration",
    "GoodOrBad",
    "Labelled",
    "Origin",
    "Preference",
    "PromptExample",
    "Ranking",
    "Rating",
]

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


@dataclass(frozen=True, slots=True)
class Labelled(Rating):
    """An answer that somebody called good (rating 1) or bad (rating 0), without another beside it.

    A reward model learns it as a rating, KTO as a label.
    """

    @property
    def good(self) -> bool:
        """Whether it was called good."""
        return self.rating > 0.5


GoodOrBad = Preference | Labelled
"""What KTO learns from: single labelled answers, and pairs, whose two answers are a good and a bad
one."""
