"""The pointwise judge: how good one answer is, by principles or by a statement about it.

It is asked and read as the pairwise judge is, with `cai.judge.scales` in place of two labels. An
answer without a score stays without one: nothing here turns a refusal into a number.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cai.errors import ConfigError
from cai.hashing import content_hash, unit_interval
from cai.judge.scales import Scale, Score, ScoreOutcome, count_scores, longer_share, read_score
from cai.judge.votes import VOTE_TOKENS
from cai.records import Request, Sampling
from cai.templates import transcript

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from cai.config import JudgeConfig
    from cai.constitution.models import Principle
    from cai.engines.memo import Answer
    from cai.judge.pairwise import Asking
    from cai.records import Message
    from cai.templates import Template

__all__ = ["PointwiseJudge", "PointwiseVerdict", "combine_scores"]

_EMPTY_BEFORE_SAMPLES = 3
"""Answers without log-probabilities, and none with, until they are no longer asked for."""

_DOUBT = 0.02
"""Up to this share, a "1" that might be the beginning of a "10" is taken for a 1."""


@dataclass(frozen=True, slots=True)
class PointwiseVerdict:
    """The mean of one or several scores of an answer, from 0 to 1; None when none has a value."""

    outcome: ScoreOutcome
    scores: tuple[Score, ...]
    value: float | None = None


class PointwiseJudge:
    """Asks one model about one answer at a time."""

    def __init__(
        self,
        caller: Asking,
        template: Template,
        config: JudgeConfig,
        *,
        logprobs: Literal["auto", "never"] = "auto",
        seed: int = 0,
    ) -> None:
        """Use a template of the stage `score`.

        Args:
            caller: the model.
            template: its labels are numbers, or two words with the better one first.
            config: of the judge: `votes`, `min_mass` and `top_logprobs` count.
            logprobs: `never` takes samples at once, and asks for no log-probabilities.
            seed: of the run; the seeds of samples depend on it.

        Raises:
            ConfigError: the labels make no scale.
        """
        self.scale = Scale.of(template.labels)
        self._caller = caller
        self._template = template
        self._config = config
        self._seed = seed
        self._gives_logprobs = False
        self._whole = self.scale.split is None
        self._empty = _EMPTY_BEFORE_SAMPLES if logprobs == "never" else 0

    async def score(
        self,
        conversation: Sequence[Message],
        answer: str,
        principles: Sequence[Sequence[Principle]],
    ) -> PointwiseVerdict:
        """How well an answer follows principles.

        Args:
            conversation: the prompt.
            answer: to it.
            principles: groups of principles; each group is shown in one question.

        Raises:
            EngineError: the judge could not be asked.
        """
        self._needs("principles")
        questions = [{"principles": list(group)} for group in principles]
        return await self._ask_all(conversation, answer, questions)

    async def holds(
        self, conversation: Sequence[Message], answer: str, propositions: Sequence[str]
    ) -> PointwiseVerdict:
        """How probably statements about an answer are true; each is asked on its own.

        Args:
            conversation: the prompt.
            answer: to it.
            propositions: sentences about the answer, such as "The response asks for consent."

        Raises:
            EngineError: the judge could not be asked.
        """
        self._needs("proposition")
        questions = [{"proposition": proposition} for proposition in propositions]
        return await self._ask_all(conversation, answer, questions)

    async def rate(self, conversation: Sequence[Message], answer: str) -> PointwiseVerdict:
        """What a template finds that shows neither principles nor a statement.

        Args:
            conversation: the prompt.
            answer: to it.

        Raises:
            ConfigError: the template shows more than the two.
            EngineError: the judge could not be asked.
        """
        if more := sorted(self._template.inputs - {"conversation", "response"}):
            raise ConfigError(
                f"The template score/{self._template.name} also shows '{more[0]}', which nobody "
                "gives it here. Choose one that shows conversation and response alone."
            )
        return await self._ask_all(conversation, answer, [{}])

    async def _ask_all(
        self, conversation: Sequence[Message], answer: str, questions: Sequence[dict[str, Any]]
    ) -> PointwiseVerdict:
        shown = {"conversation": transcript(conversation), "response": answer}
        rendered = [self._template.render({**shown, **question}) for question in questions]
        return combine_scores(await asyncio.gather(*map(self._one, rendered)))

    def _needs(self, name: str) -> None:
        if name not in self._template.inputs:
            raise ConfigError(
                f"The template score/{self._template.name} does not show '{name}'; it shows "
                f"{', '.join(sorted(self._template.inputs))}. Choose one that does."
            )

    async def _one(self, messages: tuple[Message, ...]) -> Score:
        probed = await self._probe(messages)
        if probed is None:
            return self._count(await self._sample(messages))
        if probed.completion.outcome == "refused" and not self._gives_logprobs:
            sampled = self._count(await self._sample(messages))
            # As for pairs: by now another answer may have told that there are log-probabilities.
            return self._read(probed) if self._gives_logprobs else sampled
        first = self._read(probed)
        if first.value is None or self._whole:
            return first
        if self.scale.doubt(probed.completion.first_logprobs) <= _DOUBT:
            return first
        sampled_answers = await self._sample(messages)
        share = longer_share(sampled_answers, self.scale)
        ids = tuple(answer.request_id for answer in sampled_answers)
        return replace(self._read(probed, share), votes=len(ids), more_request_ids=ids)

    def _read(self, answer: Answer, longer: float | None = None) -> Score:
        return read_score(answer, self.scale, self._config.min_mass, longer=longer)

    def _count(self, answers: Sequence[Answer]) -> Score:
        return count_scores(answers, self.scale, self._config.min_mass)

    async def _probe(self, messages: tuple[Message, ...]) -> Answer | None:
        """The answer with log-probabilities, or a refusal; None when the judge gives none."""
        if self._empty >= _EMPTY_BEFORE_SAMPLES and not self._gives_logprobs:
            return None
        sampling = Sampling(max_tokens=1, temperature=0.0, top_logprobs=self._config.top_logprobs)
        answer = await self._caller.ask(self._request(messages, sampling, 0))
        if answer.completion.first_logprobs:
            self._gives_logprobs = True
            self._whole = self._whole or self.scale.whole(answer.completion.first_logprobs)
        elif answer.completion.outcome != "refused":
            self._empty += 1
            return None
        return answer

    async def _sample(self, messages: tuple[Message, ...]) -> list[Answer]:
        """Short samples, whose seeds depend on run, question and position."""
        question = content_hash([[m.role, m.content] for m in messages])
        draws = [unit_interval(self._seed, "score", question, i) for i in range(self._config.votes)]
        return await asyncio.gather(
            *(
                self._caller.ask(
                    self._request(messages, Sampling(VOTE_TOKENS, seed=int(draw * 2**31)), index)
                )
                for index, draw in enumerate(draws)
            )
        )

    def _request(self, messages: tuple[Message, ...], sampling: Sampling, index: int) -> Request:
        return Request(
            messages, sampling, sample_index=index, shared=self._template.shared, stage="score"
        )


def combine_scores(scores: Sequence[Score]) -> PointwiseVerdict:
    """Average the scores that have a value.

    When none has one, the outcome is their commonest (the earliest among equals).
    """
    given = [score.value for score in scores if score.value is not None]
    if not given:
        commonest = Counter(score.outcome for score in scores).most_common(1)[0][0]
        return PointwiseVerdict(commonest, tuple(scores))
    return PointwiseVerdict("answered", tuple(scores), sum(given) / len(given))
