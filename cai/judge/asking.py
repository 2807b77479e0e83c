"""Asking for one of two labels, and reading what came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cai.judge.elicit import Elicitor
from cai.judge.labels import label_mass
from cai.judge.votes import count_votes
from cai.records import OrderVerdict

if TYPE_CHECKING:
    from typing import Literal

    from cai.config import JudgeConfig
    from cai.engines.memo import Answer
    from cai.records import Completion, Message, Request
    from cai.templates import Template

__all__ = ["Asking", "LabelAsker", "read_order"]


class Asking(Protocol):
    """A model behind the memo: `cai.engines.memo.Caller` or `cai.engines.batch.BatchCaller`."""

    async def ask(self, request: Request) -> Answer:
        """Answer from the memo, or ask the model and remember."""
        ...


class LabelAsker:
    """Asks one model for one of two labels."""

    def __init__(
        self,
        caller: Asking,
        template: Template,
        config: JudgeConfig,
        *,
        logprobs: Literal["auto", "never"] = "auto",
        seed: int = 0,
    ) -> None:
        """Use a template whose labels are two, in the order of presentation.

        The arguments are those of `cai.judge.elicit.Elicitor`; `min_mass` of the config counts,
        too.
        """
        self._elicitor = Elicitor(caller, template, config, logprobs=logprobs, seed=seed)
        self._min_mass = config.min_mass
        first, second = template.labels
        self._labels = (first, second)

    async def ask(self, order: Literal["ab", "ba"], messages: tuple[Message, ...]) -> OrderVerdict:
        """The verdict of one question.

        Raises:
            EngineError: the judge could not be asked.
        """
        found = await self._elicitor.ask(messages)
        if isinstance(found, list):
            return count_votes(order, found, self._labels, self._min_mass)
        return read_order(order, found.request_id, found.completion, self._labels, self._min_mass)


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
