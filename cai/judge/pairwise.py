"""The pairwise judge: which of two answers follows a principle better, asked in both orders.

This is the mode `labels`; `cai.judge.reasoning` builds on it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cai.judge.aggregate import combine_orders, combine_principles
from cai.judge.asking import Asking, LabelAsker, read_order
from cai.templates import transcript

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from cai.config import JudgeConfig
    from cai.constitution.models import Principle
    from cai.records import Message, OrderVerdict, PrincipleVerdict, Verdict
    from cai.templates import Template

__all__ = ["Asking", "PairwiseJudge", "read_order"]


class PairwiseJudge:
    """Asks one model, in both orders and under each group of principles, and averages."""

    def __init__(
        self,
        caller: Asking,
        template: Template,
        config: JudgeConfig,
        *,
        logprobs: Literal["auto", "never"] = "auto",
        seed: int = 0,
    ) -> None:
        """Use a judge template whose labels are two, in the order of presentation.

        Args:
            caller: the model.
            template: of the judge stage.
            config: of the judge.
            logprobs: `never` takes samples at once, and asks for no log-probabilities.
            seed: of the run; the seeds of samples depend on it.
        """
        self._caller = caller
        self._template = template
        self._config = config
        self._seed = seed
        self._labels = LabelAsker(caller, template, config, logprobs=logprobs, seed=seed)

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
            *(self.under(conversation, first, second, group) for group in principles)
        )
        return combine_principles(verdicts, self._config.tie_band)

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
        shown = {"conversation": transcript(conversation), "principles": list(principles)}
        ab = shown | {"answer_a": first, "answer_b": second}
        asked = self._order("ab", ab)
        if self._config.orders == "both":
            turned = self._order("ba", shown | {"answer_a": second, "answer_b": first})
            return combine_orders(
                principles, *await asyncio.gather(asked, turned), self._config.tie_band
            )
        return combine_orders(principles, await asked, None, self._config.tie_band)

    async def _order(self, order: Literal["ab", "ba"], values: dict[str, Any]) -> OrderVerdict:
        return await self._labels.ask(order, self._template.render(values))
