"""One interface for the ways to judge a pair, chosen by `judge.mode`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cai.judge.alone import PropositionJudge, ScoreJudge
from cai.judge.pairwise import PairwiseJudge
from cai.judge.pointwise import PointwiseJudge
from cai.judge.reasoning import ReasoningJudge

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from cai.config import JudgeConfig
    from cai.constitution.models import Principle
    from cai.judge.asking import Asking
    from cai.records import Message, PrincipleVerdict
    from cai.templates import Template

__all__ = ["PairJudge", "open_judge"]


class PairJudge(Protocol):
    """One judge that compares two answers, however it goes about it."""

    async def under(
        self,
        conversation: Sequence[Message],
        first: str,
        second: str,
        principles: Sequence[Principle],
    ) -> PrincipleVerdict:
        """Compare two answers under one group of principles, shown in one question.

        Raises:
            EngineError: the judge could not be asked.
        """
        ...


def open_judge(
    caller: Asking,
    template: Template,
    config: JudgeConfig,
    *,
    logprobs: Literal["auto", "never"] = "auto",
    seed: int = 0,
) -> PairJudge:
    """The judge of a mode.

    Args:
        caller: the model.
        template: of the stage judge for the modes `labels` and `reasoning`, else of score.
        config: of the judge.
        logprobs: `never` takes samples at once, and asks for no log-probabilities.
        seed: of the run; the seeds of samples depend on it.

    Raises:
        ConfigError: the template does not suit the mode.
    """
    if config.mode == "labels":
        return PairwiseJudge(caller, template, config, logprobs=logprobs, seed=seed)
    if config.mode == "reasoning":
        return ReasoningJudge(caller, template, config, logprobs=logprobs, seed=seed)
    pointwise = PointwiseJudge(caller, template, config, logprobs=logprobs, seed=seed)
    if config.mode == "score":
        return ScoreJudge(pointwise, config)
    return PropositionJudge(pointwise, config)
