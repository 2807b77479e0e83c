"""The judge of one answer under rules: does it follow them, yes or no?

It is asked about the text of the principles and not about their propositions, whose weighted sum is
made for the difference between two answers: its zero means nothing for one answer alone. The text
is what every principle has, so that cases under all principles are asked in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.judge.aggregate import hard_label
from cai.records import AnswerScore, PrincipleVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.config import JudgeConfig
    from cai.constitution.models import Principle
    from cai.judge.pointwise import PointwiseJudge
    from cai.records import Message

__all__ = ["FollowsJudge", "rule_statement"]


class FollowsJudge:
    """Asks whether an answer follows principles; p is the probability of a yes.

    It has the interface of a judge of pairs, so that panels and fallback judges work: `first` is
    the answer, and wins when it follows them; `second` is not looked at.
    """

    def __init__(self, pointwise: PointwiseJudge, config: JudgeConfig) -> None:
        """Use a judge of one answer whose template shows a proposition."""
        self._pointwise = pointwise
        self._config = config

    async def under(
        self,
        conversation: Sequence[Message],
        first: str,
        second: str,
        principles: Sequence[Principle],
    ) -> PrincipleVerdict:
        """Ask about all principles of a group in one question.

        Raises:
            EngineError: the judge could not be asked.
        """
        del second
        statement = rule_statement(principles)
        verdict = await self._pointwise.holds(conversation, first, [statement])
        (score,) = verdict.scores
        scores = (
            AnswerScore(
                "first",
                score.outcome,
                score.request_id,
                score.value,
                score.mass,
                score.missed,
                score.votes,
                score.more_request_ids,
                statement,
            ),
        )
        ids = tuple(principle.id for principle in principles)
        if score.value is None:
            silence = "unparsed" if score.outcome == "answered" else score.outcome
            return PrincipleVerdict(ids, silence, (), scores=scores)
        label = hard_label(score.value, self._config.tie_band)
        return PrincipleVerdict(ids, label, (), score.value, scores=scores)


def rule_statement(principles: Sequence[Principle]) -> str:
    """What is true of an answer that follows the principles."""
    texts = [" ".join(principle.text.split()) for principle in principles]
    if len(texts) == 1:
        return f"The response follows this rule: {texts[0]}"
    return "\n".join(["The response follows each of these rules:", *(f"- {t}" for t in texts)])
