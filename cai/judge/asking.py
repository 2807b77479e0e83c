"""Asking for a label: from the log-probabilities of one token, or from short samples.

Every mode that ends in a label asks for it here. Its verdict is in the log-probabilities of the two
labels; from a judge that gives none, short samples are taken (see `cai.judge.votes`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from cai.hashing import content_hash, unit_interval
from cai.judge.labels import label_mass
from cai.judge.votes import VOTE_TOKENS, count_votes
from cai.records import OrderVerdict, Request, Sampling

if TYPE_CHECKING:
    from typing import Literal

    from cai.config import JudgeConfig
    from cai.engines.memo import Answer
    from cai.records import Completion, Message
    from cai.templates import Template

__all__ = ["Asking", "LabelAsker", "read_order"]

_EMPTY_BEFORE_VOTES = 3
"""Answers without log-probabilities, and none with, until they are no longer asked for."""


class Asking(Protocol):
    """A model behind the memo: `cai.engines.memo.Caller` or `cai.engines.batch.BatchCaller`."""

    async def ask(self, request: Request) -> Answer:
        """Answer from the memo, or ask the model and remember."""
        ...


class LabelAsker:
    """Asks one model for one of two labels, and learns whether it gives log-probabilities."""

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

        Args:
            caller: the model.
            template: of the judge stage.
            config: of the judge.
            logprobs: `never` takes samples at once, and asks for no log-probabilities.
            seed: of the run; the seeds of samples depend on it.
        """
        self._caller = caller
        self._shared = template.shared
        self._config = config
        self._seed = seed
        first, second = template.labels
        self._labels = (first, second)
        self._gives_logprobs = False
        self._empty = _EMPTY_BEFORE_VOTES if logprobs == "never" else 0

    async def ask(self, order: Literal["ab", "ba"], messages: tuple[Message, ...]) -> OrderVerdict:
        """The verdict of one question.

        Raises:
            EngineError: the judge could not be asked.
        """
        probed = await self._probe(order, messages)
        if probed is not None and (probed.outcome != "refused" or self._gives_logprobs):
            return probed
        voted = await self._vote(order, messages)
        # A refusal does not tell whether the judge gives log-probabilities. If another answer has
        # told by now that it does, the refusal stands; else the votes decide, as they do once the
        # probes are left out.
        return probed if probed is not None and self._gives_logprobs else voted

    def _request(self, messages: tuple[Message, ...], sampling: Sampling, index: int) -> Request:
        return Request(messages, sampling, sample_index=index, shared=self._shared, stage="judge")

    async def _probe(
        self, order: Literal["ab", "ba"], messages: tuple[Message, ...]
    ) -> OrderVerdict | None:
        """The verdict from log-probabilities; None when the judge gives none."""
        if self._empty >= _EMPTY_BEFORE_VOTES and not self._gives_logprobs:
            return None
        # The log-probabilities are the verdict; the one token that is decoded is not used.
        sampling = Sampling(max_tokens=1, temperature=0.0, top_logprobs=self._config.top_logprobs)
        answer = await self._caller.ask(self._request(messages, sampling, 0))
        if answer.completion.first_logprobs:
            self._gives_logprobs = True
        elif answer.completion.outcome != "refused":
            self._empty += 1
            return None
        return read_order(
            order, answer.request_id, answer.completion, self._labels, self._config.min_mass
        )

    async def _vote(
        self, order: Literal["ab", "ba"], messages: tuple[Message, ...]
    ) -> OrderVerdict:
        """The verdict from short samples, whose seeds depend on run, question and position."""
        question = content_hash([[m.role, m.content] for m in messages])
        draws = [unit_interval(self._seed, "judge", question, i) for i in range(self._config.votes)]
        answers = await asyncio.gather(
            *(
                self._caller.ask(
                    self._request(messages, Sampling(VOTE_TOKENS, seed=int(draw * 2**31)), index)
                )
                for index, draw in enumerate(draws)
            )
        )
        return count_votes(order, answers, self._labels, self._config.min_mass)


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
