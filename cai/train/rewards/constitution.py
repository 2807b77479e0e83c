"""The constitution as a reward: a judge scores answers as they are sampled (direct-RLAIF).

Lee et al. 2023 (arXiv:2309.00267) take the mean of scores from 1 to 10 under the judge's
probabilities as the reward, without a reward model in between; rule-based rewards (Mu et al. 2024,
arXiv:2411.01111) take statements that hold or do not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from cai.constitution import load_constitution
from cai.errors import RowEngineError
from cai.hashing import short_id
from cai.judge import PointwiseJudge
from cai.loop.draw import draw_principles
from cai.records import Prompt
from cai.templates import load_template
from cai.train.rewards.base import Filler
from cai.train.rewards.judging import Judging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.constitution.models import Constitution, Principle
    from cai.judge import PointwiseVerdict
    from cai.records import Message

__all__ = ["ConstitutionReward", "PropositionReward"]


class _Judged:
    """What both rewards have in common: a judge, gaps that are filled, and how they came about.

    After `score`, `unscored` flags the answers without a score of their own, and `outcomes` has
    what became of each: that of its verdict, or `failed` where the judge could not be asked.
    """

    def __init__(self, judging: Judging, template: str, name: str) -> None:
        config = judging.config
        folder = config.templates.folder
        shown = load_template("score", template, Path(folder) if folder else None)
        if config.judge.quoting == "nonce":
            # A policy in training finds whatever sways its judge.
            shown = shown.with_nonces().with_secret(judging.secret)
        self.name = name
        self.unscored: list[bool] = []
        self.outcomes: list[str] = []
        self._judging = judging
        self._config = config
        self._filler = Filler(name)
        self._judge = PointwiseJudge(
            judging.caller,
            shown,
            config.judge,
            logprobs=judging.logprobs,
            seed=config.loop.seed,
        )

    def score(
        self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]
    ) -> list[float]:
        """See `Reward.score`; from 0 to 1. All answers are asked about side by side.

        Raises:
            FatalEngineError: the judge cannot be asked any more.
            BudgetError: the budget is used up.
            TrainingError: the judge has never scored anything.
        """
        pairs = zip(prompts, completions, strict=True)
        verdicts = self._judging.run([self._try(p, c) for p, c in pairs])
        self.outcomes = [v.outcome if v else "failed" for v in verdicts]
        values = [v.value if v else None for v in verdicts]
        self.unscored = [value is None for value in values]
        return self._filler.fill(prompts, values)

    def close(self) -> None:
        """Let go of the judge."""
        self._judging.close()

    async def _try(self, prompt: Sequence[Message], answer: str) -> PointwiseVerdict | None:
        try:
            return await self._ask(prompt, answer)
        except RowEngineError:
            # One answer that the judge cannot take, such as one that is too long, is a gap.
            return None

    async def _ask(self, prompt: Sequence[Message], answer: str) -> PointwiseVerdict:
        raise NotImplementedError


class ConstitutionReward(_Judged):
    """How well an answer follows the constitution: the judge's expected score, from 0 to 1.

    With `judge.scope: drawn`, `judge.principles` of the constitution are drawn, heavier ones more
    often, each is asked about on its own, and the scores are averaged; with `constitution`, one
    question shows all. By default the draw depends on the prompt alone, so that answers to one
    prompt are compared under one principle; with `draw_per: completion` also on the answer.
    """

    def __init__(
        self,
        judging: Judging,
        *,
        constitution: Constitution | None = None,
        template: str = "expected",
        draw_per: Literal["prompt", "completion"] = "prompt",
        name: str = "constitution",
    ) -> None:
        """Score by a constitution.

        Args:
            judging: the judge; `close` closes it.
            constitution: in place of the one that the config names.
            template: of the stage score; shows principles.
            draw_per: what a draw depends on.
            name: column in logs.

        Raises:
            ConfigError: constitution or template cannot be used.
        """
        super().__init__(judging, template, name)
        self._constitution = constitution or load_constitution(self._config.constitution)
        self._draw_per = draw_per

    @classmethod
    def open(cls, config: Path | str) -> Self:
        """From a `cai.yaml`.

        Raises:
            ConfigError: it cannot be used.
            EngineError: the judge cannot be started.
        """
        judging = Judging.share(config)
        try:
            return cls(judging)
        except BaseException:
            judging.close()
            raise

    async def _ask(self, prompt: Sequence[Message], answer: str) -> PointwiseVerdict:
        return await self._judge.score(prompt, answer, self._groups(prompt, answer))

    def _groups(self, prompt: Sequence[Message], answer: str) -> list[tuple[Principle, ...]]:
        judge, constitution = self._config.judge, self._constitution
        if judge.scope == "constitution":
            return [constitution.principles]
        if judge.scope == "each":
            return [(principle,) for principle in constitution.principles]
        purpose = "score" if self._draw_per == "prompt" else f"score {short_id(answer)}"
        drawn = draw_principles(
            constitution,
            self._config.loop.seed,
            Prompt(tuple(prompt)).id,
            purpose,
            judge.principles,
        )
        return [(principle,) for principle in drawn]


class PropositionReward(_Judged):
    """The mean probability that statements about an answer are true, from 0 to 1."""

    def __init__(
        self,
        judging: Judging,
        propositions: Sequence[str],
        *,
        template: str = "proposition",
        name: str = "propositions",
    ) -> None:
        """Score by statements.

        Args:
            judging: the judge; `close` closes it.
            propositions: sentences about an answer that should hold; each is one question.
            template: of the stage score; shows a proposition.
            name: column in logs.

        Raises:
            ConfigError: the template cannot be used.
            ValueError: there are no propositions.
        """
        if not propositions:
            raise ValueError("a reward of propositions needs at least one sentence, got none")
        super().__init__(judging, template, name)
        self._propositions = tuple(propositions)

    @classmethod
    def open(cls, config: Path | str, propositions: Sequence[str]) -> Self:
        """From a `cai.yaml`, whose constitution is not used.

        Raises:
            ConfigError: it cannot be used.
            EngineError: the judge cannot be started.
        """
        judging = Judging.share(config)
        try:
            return cls(judging, propositions)
        except BaseException:
            judging.close()
            raise

    async def _ask(self, prompt: Sequence[Message], answer: str) -> PointwiseVerdict:
        return await self._judge.holds(prompt, answer, self._propositions)
