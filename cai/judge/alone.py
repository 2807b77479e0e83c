"""Judges that look at one answer at a time and compare what they found: scores and propositions.

No answer is shown beside the other, so there are no orders and no preference for a slot. An answer
on which the judge gave nothing leaves the pair without a verdict: nothing here turns a refusal into
a number or a tie.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from cai.judge.aggregate import hard_label
from cai.records import AnswerScore, PrincipleVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.config import JudgeConfig
    from cai.constitution.models import Principle
    from cai.judge.pointwise import PointwiseJudge, PointwiseVerdict
    from cai.judge.scales import Score
    from cai.records import Message

__all__ = [
    "AnswerJudge",
    "PropositionJudge",
    "ScoreJudge",
    "conclude",
    "logistic",
    "preference",
]


class AnswerJudge(ABC):
    """Asks about one answer at a time. Its kinds say what about, and what follows from it.

    It has the interface of a judge of pairs, so that panels and fallback judges work.
    """

    _looks_at: ClassVar[tuple[Literal["first", "second"], ...]] = ("first", "second")

    def __init__(self, pointwise: PointwiseJudge, config: JudgeConfig) -> None:
        """Use a judge of one answer whose template shows what the kind asks about."""
        self._pointwise = pointwise
        self._config = config

    async def under(
        self,
        conversation: Sequence[Message],
        first: str,
        second: str,
        principles: Sequence[Principle],
    ) -> PrincipleVerdict:
        """The verdict on two answers under one group of principles.

        Raises:
            EngineError: the judge could not be asked.
        """
        texts, about = {"first": first, "second": second}, self._about(principles)
        found = await asyncio.gather(
            *(self._ask(conversation, texts[answer], principles) for answer in self._looks_at)
        )
        scores = [
            _named(answer, score, *subject)
            for answer, verdict in zip(self._looks_at, found, strict=True)
            for score, subject in zip(verdict.scores, about, strict=True)
        ]
        return self._told(principles, scores)

    @abstractmethod
    def _about(self, principles: Sequence[Principle]) -> Sequence[tuple[str, float]]:
        """The statement of each question, empty for a rating, and its weight."""

    @abstractmethod
    async def _ask(
        self, conversation: Sequence[Message], answer: str, principles: Sequence[Principle]
    ) -> PointwiseVerdict:
        """One score for each question."""

    @abstractmethod
    def _told(
        self, principles: Sequence[Principle], scores: Sequence[AnswerScore]
    ) -> PrincipleVerdict:
        """What the scores of all answers come to."""


class ScoreJudge(AnswerJudge):
    """Rates each answer and compares the expected scores.

    With scores s₁ and s₂ in points of the scale and the temperature τ (`judge.score_temperature`),

        p = σ((s₁ − s₂) / τ) = e^{s₁/τ} / (e^{s₁/τ} + e^{s₂/τ}),

    the model of Bradley and Terry (1952) with scores over τ as the logarithms of strengths. The
    scores are those of direct-RLAIF (2309.00267): means under the probabilities of the numbers.
    """

    def _about(self, principles: Sequence[Principle]) -> Sequence[tuple[str, float]]:
        return [("", 1.0)]

    async def _ask(
        self, conversation: Sequence[Message], answer: str, principles: Sequence[Principle]
    ) -> PointwiseVerdict:
        return await self._pointwise.score(conversation, answer, [principles])

    def _told(
        self, principles: Sequence[Principle], scores: Sequence[AnswerScore]
    ) -> PrincipleVerdict:
        gain = self._pointwise.scale.span / self._config.score_temperature
        return preference(principles, scores, gain, self._config.tie_band)


class PropositionJudge(AnswerJudge):
    """Asks which statements hold for each answer, and compares the weighted sums.

    With P_k(x) the probability that statement k is true of x, and weights w_k,

        p = σ(Σ_k w_k [P_k(first) − P_k(second)]),

    after the linear models of rule-based rewards (2411.01111), which are fitted to comparisons,
    too; `cai.judge.weights` fits by maximum likelihood. Statements and weights are those of the
    principles; under several principles at once the sum is over all of theirs.
    """

    def _about(self, principles: Sequence[Principle]) -> Sequence[tuple[str, float]]:
        return [(rule.text, rule.weight) for one in principles for rule in one.propositions]

    async def _ask(
        self, conversation: Sequence[Message], answer: str, principles: Sequence[Principle]
    ) -> PointwiseVerdict:
        texts = [text for text, _ in self._about(principles)]
        return await self._pointwise.holds(conversation, answer, texts)

    def _told(
        self, principles: Sequence[Principle], scores: Sequence[AnswerScore]
    ) -> PrincipleVerdict:
        return preference(principles, scores, 1.0, self._config.tie_band)


def preference(
    principles: Sequence[Principle], scores: Sequence[AnswerScore], gain: float, tie_band: float
) -> PrincipleVerdict:
    """p(first ≻ second) = σ(gain · Σ weight · value, of the first less those of the second).

    One missing value leaves no verdict, because the sums would no longer be of the same things.
    """
    sums = {
        answer: math.fsum(s.weight * s.value for s in scores if s.answer == answer and s.value)
        for answer in ("first", "second")
    }
    p = logistic(gain * (sums["first"] - sums["second"]))
    return conclude(principles, scores, p, tie_band)


def conclude(
    principles: Sequence[Principle], scores: Sequence[AnswerScore], p: float | None, tie_band: float
) -> PrincipleVerdict:
    """The verdict with the probability p; none where a score has no value.

    The outcome is then that of the first that has none; a refusal goes first.
    """
    ids, kept = tuple(principle.id for principle in principles), tuple(scores)
    silent = [score.outcome for score in scores if score.value is None]
    if silent or p is None:
        outcome = "refused" if "refused" in silent else silent[0]
        return PrincipleVerdict(
            ids, "unparsed" if outcome == "answered" else outcome, (), scores=kept
        )
    return PrincipleVerdict(ids, hard_label(p, tie_band), (), p, scores=kept)


def logistic(x: float) -> float:
    """σ(x) = 1 / (1 + e^{−x}), without overflow, and with σ(x) + σ(−x) = 1."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    return 1.0 - 1.0 / (1.0 + math.exp(x))


def _named(
    answer: Literal["first", "second"], score: Score, statement: str, weight: float
) -> AnswerScore:
    """The score with what it is about."""
    return AnswerScore(
        answer,
        score.outcome,
        score.request_id,
        score.value,
        score.mass,
        score.missed,
        score.votes,
        score.more_request_ids,
        statement,
        weight,
    )
