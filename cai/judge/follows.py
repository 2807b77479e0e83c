"""The judge of one answer under rules: does it follow them, yes or no?

It is asked about the text of the principles and not about their propositions, whose weighted sum is
made for the difference between two answers: its zero means nothing for one answer alone. The text
is what every principle has, so that cases under all principles are asked in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.judge.alone import AnswerJudge, conclude

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.models import Principle
    from cai.judge.pointwise import PointwiseVerdict
    from cai.records import AnswerScore, Message, PrincipleVerdict

__all__ = ["FollowsJudge", "rule_statement"]


class FollowsJudge(AnswerJudge):
    """Asks whether an answer follows principles; p is the probability of a yes.

    `first` is the answer, and wins when it follows them; `second` is not looked at. All principles
    of a group are in one question.
    """

    _looks_at = ("first",)

    def _about(self, principles: Sequence[Principle]) -> Sequence[tuple[str, float]]:
        return [(rule_statement(principles), 1.0)]

    async def _ask(
        self, conversation: Sequence[Message], answer: str, principles: Sequence[Principle]
    ) -> PointwiseVerdict:
        return await self._pointwise.holds(conversation, answer, [rule_statement(principles)])

    def _told(
        self, principles: Sequence[Principle], scores: Sequence[AnswerScore]
    ) -> PrincipleVerdict:
        (score,) = scores
        return conclude(principles, scores, score.value, self._config.tie_band)


def rule_statement(principles: Sequence[Principle]) -> str:
    """What is true of an answer that follows the principles."""
    texts = [" ".join(principle.text.split()) for principle in principles]
    if len(texts) == 1:
        return f"The response follows this rule: {texts[0]}"
    return "\n".join(["The response follows each of these rules:", *(f"- {t}" for t in texts)])
