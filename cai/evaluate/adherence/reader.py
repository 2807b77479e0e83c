"""How far one answer follows one principle: an expected score, or the principle's statements.

The score is the mean of 1 to 10 under the probabilities of the first token (2309.00267, direct
RLAIF); the rubric of the principle is shown where it has one. With statements, P_k is the
probability that statement k is true and w_k its weight:

    value = (Σ_{w_k > 0} w_k P_k + Σ_{w_k < 0} |w_k| (1 − P_k)) / Σ |w_k|,

the weighted sum of rule-based rewards (2411.01111) brought to the range from 0 to 1, so that it
says of one answer how much of what the principle asks is there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cai.errors import RowEngineError
from cai.evaluate.adherence.records import Finding
from cai.judge.scales import Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.models import Principle
    from cai.constitution.principle import Proposition
    from cai.evaluate.adherence.records import How
    from cai.evaluate.session import Judges
    from cai.judge.pointwise import PointwiseVerdict
    from cai.loop.plan import Plan
    from cai.records import Message

__all__ = ["PrincipleReader"]

_STATEMENTS = "proposition"


class PrincipleReader:
    """The first judge of a session, asked about single answers under single principles.

    Args:
        judges: of the session.
        plan: with `judge.mode: score`; its template is asked.
        propositions: whether to ask for the statements of principles that have them.

    Raises:
        ConfigError: a template is missing, or its labels make no scale.
    """

    def __init__(self, judges: Judges, plan: Plan, *, propositions: bool) -> None:
        template = plan.templates["score"]
        self.scale = Scale.of(template.labels)
        self._scores = judges.pointwise(template.name)
        self._statements = judges.pointwise(_STATEMENTS) if propositions else None

    def how(self, principle: Principle) -> How:
        """In which way a principle is asked about."""
        by_statements = self._statements is not None and bool(_weighty(principle))
        return "propositions" if by_statements else "score"

    async def read(
        self, conversation: Sequence[Message], answer: str, principle: Principle
    ) -> Finding:
        """How far an answer follows a principle.

        Raises:
            FatalEngineError: the judge cannot be asked any more; what was answered is kept.
        """
        how = self.how(principle)
        try:
            if how == "propositions" and self._statements is not None:
                texts = [rule.text for rule in _weighty(principle)]
                verdict = await self._statements.holds(conversation, answer, texts)
                return _of_statements(verdict, [rule.weight for rule in _weighty(principle)])
            verdict = await self._scores.score(conversation, answer, [[principle]])
        except RowEngineError as error:
            return Finding("unasked", how, error=str(error))
        return Finding(verdict.outcome, how, verdict.value)


def _weighty(principle: Principle) -> list[Proposition]:
    return [rule for rule in principle.propositions if rule.weight]


def _of_statements(verdict: PointwiseVerdict, weights: Sequence[float]) -> Finding:
    """The weighted share; without an answer to each statement it would be of something else."""
    silent = [score.outcome for score in verdict.scores if score.value is None]
    if silent:
        return Finding("refused" if "refused" in silent else silent[0], "propositions")
    held = (
        abs(w) * (score.value if w > 0 else 1.0 - score.value)
        for score, w in zip(verdict.scores, weights, strict=True)
        if score.value is not None
    )
    return Finding("answered", "propositions", math.fsum(held) / math.fsum(map(abs, weights)))
