"""Judges that look at one answer at a time and compare what they found: scores and propositions.

No answer is shown beside the other, so there are no orders and no preference for a slot. An answer
on which the judge gave nothing leaves the pair without a verdict: nothing here turns a refusal into
a number or a tie.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from cai.judge.aggregate import hard_label
from cai.records import AnswerScore, PrincipleVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from cai.config import JudgeConfig
    from cai.constitution.models import Principle
    from cai.judge.pointwise import PointwiseJudge, PointwiseVerdict
    from cai.records import Message

__all__ = ["PropositionJudge", "ScoreJudge", "logistic", "preference"]


class ScoreJudge:
    """Rates each answer and compares the expected scores.

    With scores s₁ and s₂ in points of the scale and the temperature τ (`judge.score_temperature`),

        p = σ((s₁ − s₂) / τ) = e^{s₁/τ} / (e^{s₁/τ} + e^{s₂/τ}),

    the model of Bradley and Terry (1952) with scores over τ as the logarithms of strengths. The
    scores are those of direct-RLAIF (2309.00267): means under the probabilities of the numbers.
    """

    def __init__(self, pointwise: PointwiseJudge, config: JudgeConfig) -> None:
        """Use a judge of one answer whose template shows principles."""
        self._pointwise = pointwise
        self._config = config

    async def under(
        self,
        conversation: Sequence[Message],
        first: str,
        second: str,
        principles: Sequence[Principle],
    ) -> PrincipleVerdict:
        """Compare two answers under one group of principles.

        Raises:
            EngineError: the judge could not be asked.
        """
        found = await asyncio.gather(
            self._pointwise.score(conversation, first, [principles]),
            self._pointwise.score(conversation, second, [principles]),
        )
        scores = _named(found, ("",), (1.0,))
        gain = self._pointwise.scale.span / self._config.score_temperature
        return preference(principles, scores, gain, self._config.tie_band)


class PropositionJudge:
    """Asks which statements hold for each answer, and compares the weighted sums.

    With P_k(x) the probability that statement k is true of x, and weights w_k,

        p = σ(Σ_k w_k [P_k(first) − P_k(second)]),

    after the linear models of rule-based rewards (2411.01111), which are fitted to comparisons,
    too; `cai.judge.weights` fits by maximum likelihood. Statements and weights are those of the
    principles; under several principles at once the sum is over all of theirs.
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
        """Compare two answers under one group of principles, all with propositions.

        Raises:
            EngineError: the judge could not be asked.
        """
        rules = [rule for principle in principles for rule in principle.propositions]
        texts = [rule.text for rule in rules]
        found = await asyncio.gather(
            self._pointwise.holds(conversation, first, texts),
            self._pointwise.holds(conversation, second, texts),
        )
        weights = [rule.weight for rule in rules]
        scores = _named(found, texts, weights)
        return preference(principles, scores, 1.0, self._config.tie_band)


def preference(
    principles: Sequence[Principle], scores: Sequence[AnswerScore], gain: float, tie_band: float
) -> PrincipleVerdict:
    """p(first ≻ second) = σ(gain · Σ weight · value, of the first less those of the second).

    One missing value leaves no verdict, because the sums would no longer be of the same things. Its
    outcome is then that of the first that is missing; a refusal goes first.
    """
    ids = tuple(principle.id for principle in principles)
    silent = [s.outcome for s in scores if s.value is None]
    if silent:
        outcome = "refused" if "refused" in silent else silent[0]
        return PrincipleVerdict(
            ids, "unparsed" if outcome == "answered" else outcome, (), scores=tuple(scores)
        )
    sums = {
        answer: math.fsum(s.weight * s.value for s in scores if s.answer == answer and s.value)
        for answer in ("first", "second")
    }
    p = logistic(gain * (sums["first"] - sums["second"]))
    return PrincipleVerdict(ids, hard_label(p, tie_band), (), p, scores=tuple(scores))


def logistic(x: float) -> float:
    """σ(x) = 1 / (1 + e^{−x}), without overflow, and with σ(x) + σ(−x) = 1."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    return 1.0 - 1.0 / (1.0 + math.exp(x))


def _named(
    found: tuple[PointwiseVerdict, PointwiseVerdict],
    statements: Sequence[str],
    weights: Sequence[float],
) -> list[AnswerScore]:
    """The scores of both answers with what they are about."""
    named: tuple[tuple[Literal["first", "second"], PointwiseVerdict], ...] = (
        ("first", found[0]),
        ("second", found[1]),
    )
    return [
        AnswerScore(
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
        for answer, verdict in named
        for score, statement, weight in zip(verdict.scores, statements, weights, strict=True)
    ]
