"""The judge that thinks first: it reasons, then names a label, whose probability is clamped.

After a chain of thought the label is nearly certain, so its log-probabilities are no longer
calibrated; Constitutional AI (2212.08073, §4.1) clamps them to 40–60 % and averages several chains.
For each order and each of n sampled reasonings p_i is the probability of the first label, and

    p = 1/n Σ_i min(max(p_i, low), high)        (`judge.clamp` = [low, high])

Averaging several helped a little there and hurt in RLAIF (2309.00267), so n is 1 by default.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from cai.hashing import content_hash, unit_interval
from cai.judge.pairwise import PairwiseJudge
from cai.records import OrderVerdict, Reasoning, Request, Sampling

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from cai.records import JudgedOutcome, Message

__all__ = ["ReasoningJudge", "average", "clamp"]


class ReasoningJudge(PairwiseJudge):
    """As the pairwise judge, with a text before each label.

    The template shows `reasoning`. What comes before is the request for the text; the whole, with
    the text as a turn of the judge's own, is the request for the label.
    """

    async def _order(self, order: Literal["ab", "ba"], values: dict[str, Any]) -> OrderVerdict:
        messages = self._template.render(values, until="reasoning")
        question = content_hash([[m.role, m.content] for m in messages])
        reasonings = await asyncio.gather(
            *(
                self._reasoned(order, values, messages, question, index)
                for index in range(self._config.reasonings)
            )
        )
        return average(order, reasonings)

    async def _reasoned(
        self,
        order: Literal["ab", "ba"],
        values: dict[str, Any],
        messages: tuple[Message, ...],
        question: str,
        index: int,
    ) -> Reasoning:
        how = self._config.reasoning
        seed = int(unit_interval(self._seed, "reason", question, index) * 2**31)
        sampling = Sampling(how.max_tokens, how.temperature, how.top_p, seed)
        answer = await self._caller.ask(
            Request(
                messages,
                sampling,
                sample_index=index,
                shared=min(self._template.shared, len(messages)),
                stage="reason",
            )
        )
        text = answer.completion.text.strip()
        if answer.completion.outcome != "answered" or not text:
            # Half a thought is no ground for a verdict, and neither is none.
            silent = answer.completion.outcome
            outcome: JudgedOutcome = "unparsed" if silent == "answered" else silent
            return Reasoning(outcome, text, answer.request_id)
        said = await self._labels.ask(order, self._template.render({**values, "reasoning": text}))
        return Reasoning(
            said.outcome,
            text,
            answer.request_id,
            raw=said.p_shown_first,
            p=None if said.p_shown_first is None else clamp(said.p_shown_first, self._config.clamp),
            mass=said.mass,
            bounded=said.bounded,
            votes=said.votes,
            more_request_ids=(said.request_id, *said.more_request_ids),
        )


def clamp(p: float, bounds: tuple[float, float]) -> float:
    """The number within the bounds that is closest to p."""
    low, high = bounds
    return min(max(p, low), high)


def average(order: Literal["ab", "ba"], reasonings: Sequence[Reasoning]) -> OrderVerdict:
    """Put the reasonings of one order together.

    Those without a label are left out of the mean. When they are more than half there is no
    verdict: the outcome is then the commonest one among them, the earliest among equals.

    Args:
        order: the order of presentation.
        reasonings: at least one, in the order of their sample index.
    """
    given = [r for r in reasonings if r.p is not None]
    told = 2 * len(given) >= len(reasonings)
    silent = Counter(r.outcome for r in reasonings if r.p is None)
    ids = [i for r in reasonings for i in (r.request_id, *r.more_request_ids)]
    masses = [r.mass for r in reasonings if r.mass is not None]
    return OrderVerdict(
        order,
        "answered" if told else silent.most_common(1)[0][0],
        ids[0],
        math.fsum(r.p for r in given if r.p is not None) / len(given) if told else None,
        math.fsum(masses) / len(masses) if masses else None,
        bounded=any(r.bounded for r in given),
        votes=sum(r.votes for r in reasonings),
        more_request_ids=tuple(ids[1:]),
        reasonings=tuple(reasonings),
    )
