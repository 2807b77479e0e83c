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
from cai.judge.elicit import Elicitor
from cai.judge.scales import Scale, Score, ScoreOutcome, count_scores, longer_share, read_score
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
        self._template = template
        self._elicitor = Elicitor(caller, template, config, logprobs=logprobs, seed=seed)
        self._min_mass = config.min_mass
        self._whole = self.scale.split is None

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
        found = await self._elicitor.ask(messages)
        if isinstance(found, list):
            return count_scores(found, self.scale, self._min_mass)
        alternatives = found.completion.first_logprobs
        self._whole = self._whole or self.scale.whole(alternatives)
        first = self._read(found)
        if first.value is None or self._whole or self.scale.doubt(alternatives) <= _DOUBT:
            return first
        samples = await self._elicitor.sample(messages)
        share = longer_share(samples, self.scale)
        ids = tuple(answer.request_id for answer in samples)
        return replace(self._read(found, share), votes=len(ids), more_request_ids=ids)

    def _read(self, answer: Answer, longer: float | None = None) -> Score:
        return read_score(answer, self.scale, self._min_mass, longer=longer)


def combine_scores(scores: Sequence[Score]) -> PointwiseVerdict:
    """Average the scores that have a value.

    When none has one, the outcome is their commonest (the earliest among equals).
    """
    given = [score.value for score in scores if score.value is not None]
    if not given:
        commonest = Counter(score.outcome for score in scores).most_common(1)[0][0]
        return PointwiseVerdict(commonest, tuple(scores))
    return PointwiseVerdict("answered", tuple(scores), sum(given) / len(given))
