"""Asking for one word: from the log-probabilities of its first token, or from short samples.

Every mode ends in such a question. Its verdict is in the log-probabilities of the labels; from a
judge that gives none, short samples are taken (see `cai.judge.votes`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cai.hashing import content_hash, unit_interval
from cai.judge.votes import VOTE_TOKENS
from cai.records import Request, Sampling

if TYPE_CHECKING:
    from typing import Literal

    from cai.config import JudgeConfig
    from cai.engines.memo import Answer
    from cai.judge.asking import Asking
    from cai.records import Message
    from cai.templates import Template

__all__ = ["Elicitor"]

_EMPTY_BEFORE_SAMPLES = 3
"""Answers without log-probabilities, and none with, until they are no longer asked for."""


class Elicitor:
    """Asks one model for one word, and learns whether it gives log-probabilities."""

    def __init__(
        self,
        caller: Asking,
        template: Template,
        config: JudgeConfig,
        *,
        logprobs: Literal["auto", "never"] = "auto",
        seed: int = 0,
    ) -> None:
        """Use a template with labels.

        Args:
            caller: the model.
            template: its stage is that of the requests, and part of the seeds of samples.
            config: of the judge: `votes` and `top_logprobs` count.
            logprobs: `never` takes samples at once, and asks for no log-probabilities.
            seed: of the run; the seeds of samples depend on it.
        """
        self._caller = caller
        self._template = template
        self._config = config
        self._seed = seed
        self._gives_logprobs = False
        self._empty = _EMPTY_BEFORE_SAMPLES if logprobs == "never" else 0

    async def ask(self, messages: tuple[Message, ...]) -> Answer | list[Answer]:
        """The one answer to read, or the samples to count, in the order of their index.

        Raises:
            EngineError: the judge could not be asked.
        """
        probed = await self._probe(messages)
        if probed is not None and (probed.completion.outcome != "refused" or self._gives_logprobs):
            return probed
        samples = await self.sample(messages)
        # A refusal does not tell whether the judge gives log-probabilities. If another answer has
        # told by now that it does, the refusal stands; else the samples decide, as they do once the
        # probes are left out.
        return probed if probed is not None and self._gives_logprobs else samples

    async def sample(self, messages: tuple[Message, ...]) -> list[Answer]:
        """Short samples, whose seeds depend on run, question and position.

        Raises:
            EngineError: the judge could not be asked.
        """
        question, stage = (
            content_hash([[m.role, m.content] for m in messages]),
            self._template.stage,
        )
        draws = [unit_interval(self._seed, stage, question, i) for i in range(self._config.votes)]
        return await asyncio.gather(
            *(
                self._caller.ask(
                    self._request(messages, Sampling(VOTE_TOKENS, seed=int(draw * 2**31)), index)
                )
                for index, draw in enumerate(draws)
            )
        )

    async def _probe(self, messages: tuple[Message, ...]) -> Answer | None:
        """The answer with log-probabilities, or a refusal; None when the judge gives none."""
        if self._empty >= _EMPTY_BEFORE_SAMPLES and not self._gives_logprobs:
            return None
        # The log-probabilities are the verdict; the one token that is decoded is not used.
        sampling = Sampling(max_tokens=1, temperature=0.0, top_logprobs=self._config.top_logprobs)
        answer = await self._caller.ask(self._request(messages, sampling, 0))
        if answer.completion.first_logprobs:
            self._gives_logprobs = True
        elif answer.completion.outcome != "refused":
            self._empty += 1
            return None
        return answer

    def _request(self, messages: tuple[Message, ...], sampling: Sampling, index: int) -> Request:
        return Request(
            messages,
            sampling,
            sample_index=index,
            shared=self._template.shared,
            stage=self._template.stage,
        )
