"""What a judge found of one answer under one principle, and of a case whose outcome is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cai.evaluate.records import Answered
    from cai.judge.scales import ScoreOutcome

__all__ = ["Checked", "Finding", "How", "Reading", "points"]

How = Literal["score", "propositions"]
"""By one score from 1 to 10, or by the statements of the principle."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How far an answer follows a principle, from 0 to 1; None where the judge did not say.

    `unasked` is for a question that cannot be asked; `error` says why. `empty` is an answer without
    text, which no judge is shown.
    """

    outcome: ScoreOutcome | Literal["unasked", "empty"]
    how: How
    value: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A finding about an answer of a subject."""

    answer: Answered
    principle: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Checked:
    """A case with two answers, each read on its own under the principle of the case."""

    case: str
    principle: str
    better: Finding
    worse: Finding

    @property
    def right(self) -> float | None:
        """1 where the better answer has more, ½ where both have the same; None without both."""
        if self.better.value is None or self.worse.value is None:
            return None
        gap = self.better.value - self.worse.value
        return 0.5 if gap == 0 else float(gap > 0)


def points(value: float) -> float:
    """A value from 0 to 1 on the scale from 1 to 10, which both ways of asking share."""
    return 1.0 + 9.0 * value
