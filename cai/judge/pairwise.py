"""The pairwise judge: which of two answers follows a principle better, asked in both orders."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cai.judge.aggregate import combine_orders, combine_principles
from cai.judge.labels import label_mass
from cai.records import OrderVerdict, Request, Sampling, Verdict
from cai.templates import transcript

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from cai.config import JudgeConfig
    from cai.constitution.models import Principle
    from cai.engines.memo import Caller
    from cai.records import Completion, Message, PrincipleVerdict
    from cai.templates import Template

__all__ = ["PairwiseJudge", "read_order"]


class PairwiseJudge:
    """Asks one model, in both orders and under each group of principles, and averages."""

    def __init__(self, caller: Caller, template: Template, config: JudgeConfig) -> None:
        """Use a judge template whose labels are two, in the order of presentation."""
        self._caller = caller
        self._template = template
        self._config = config
        first, second = template.labels
        self._labels = (first, second)

    async def judge(
        self,
        conversation: Sequence[Message],
        first: str,
        second: str,
        principles: Sequence[Sequence[Principle]],
    ) -> Verdict:
        """Compare two answers to a conversation.

        Args:
            conversation: the prompt.
            first: one answer.
            second: the other.
            principles: groups of principles; each group is shown in one question.

        Raises:
            EngineError: the judge could not be asked.
        """
        verdicts = await asyncio.gather(
            *(self._under(conversation, first, second, group) for group in principles)
        )
        return combine_principles(verdicts, self._config.tie_band)

    async def _under(
        self,
        conversation: Sequence[Message],
        first: str,
        second: str,
        principles: Sequence[Principle],
    ) -> PrincipleVerdict:
        ab, ba = await asyncio.gather(
            self._order("ab", conversation, first, second, principles),
            self._order("ba", conversation, second, first, principles),
        )
        return combine_orders(principles, ab, ba, self._config.tie_band)

    async def _order(
        self,
        order: Literal["ab", "ba"],
        conversation: Sequence[Message],
        shown_first: str,
        shown_second: str,
        principles: Sequence[Principle],
    ) -> OrderVerdict:
        values = {
            "conversation": transcript(conversation),
            "answer_a": shown_first,
            "answer_b": shown_second,
            "principles": list(principles),
        }
        request = Request(
            messages=self._template.render(values),
            # The log-probabilities are the verdict; the one token that is decoded is not used.
            sampling=Sampling(
                max_tokens=1, temperature=0.0, top_logprobs=self._config.top_logprobs
            ),
            shared=self._template.shared,
            stage="judge",
        )
        answer = await self._caller.ask(request)
        return read_order(
            order, answer.request_id, answer.completion, self._labels, self._config.min_mass
        )


def read_order(
    order: Literal["ab", "ba"],
    request_id: str,
    completion: Completion,
    labels: tuple[str, str],
    min_mass: float,
) -> OrderVerdict:
    """Read one answer of a judge; a refusal or an unclear answer stays what it is."""
    if completion.outcome == "refused":
        return OrderVerdict(order, "refused", request_id)
    mass = label_mass(completion.first_logprobs, labels)
    if mass is None:
        # Neither label is in sight. A model cut off before it said anything is a different case
        # from one that said something else.
        cut = completion.outcome == "truncated" and not completion.text.strip()
        return OrderVerdict(order, "truncated" if cut else "unparsed", request_id, mass=0.0)
    if mass.total < min_mass:
        return OrderVerdict(order, "unparsed", request_id, mass=mass.total)
    return OrderVerdict(
        order, "answered", request_id, mass.p_first, mass.total, bounded=bool(mass.bounded)
    )
