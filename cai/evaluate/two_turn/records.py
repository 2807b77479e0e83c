"""A conversation of two turns, and what a judge says of each answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cai.evaluate.records import Answered
    from cai.evaluate.two_turn.questions import Question
    from cai.judge.scales import ScoreOutcome

__all__ = ["Talk", "TurnScore"]


@dataclass(frozen=True, slots=True)
class Talk:
    """What a subject said in each turn; there is no second answer where the first is missing."""

    question: Question
    answers: tuple[Answered, ...]


@dataclass(frozen=True, slots=True)
class TurnScore:
    """How helpful an answer is, in points from 1 to 10; None where nobody knows.

    `turn` is 1 or 2. `empty` is an answer without text, which has the fewest points; `unasked` is
    one that failed, or that could not be shown to the judge, and `error` says why.
    """

    subject: str
    question: Question
    turn: Literal[1, 2]
    outcome: ScoreOutcome | Literal["empty", "unasked"]
    points: float | None = None
    text: str = ""
    error: str = ""
