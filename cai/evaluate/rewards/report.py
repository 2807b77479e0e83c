"""Figures of models from the rewards of their answers; whoever scores has the reward model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cai.evaluate.means import Means, compared
from cai.evaluate.results import Evaluator, Result, figure
from cai.validation.bias.means import share_interval
from cai.validation.statistics.sums import SumBootstrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cai.evaluate.results import Figure
    from cai.evaluate.reward_model import ScoredPair
    from cai.validation.statistics.intervals import Interval

__all__ = ["Scored", "rewards_result"]


@dataclass(frozen=True, slots=True)
class Scored:
    """The answer of a model to a prompt, as the figures need it.

    Args:
        prompt_id: of the prompt.
        group: of near-duplicate prompts.
        reward: log-odds up to a constant; None where there was no answer.
        length: of the answer, in characters.
    """

    prompt_id: str
    group: str
    reward: float | None
    length: int


def rewards_result(
    model: str,
    scored: Mapping[str, Sequence[Scored]],
    check: Sequence[ScoredPair],
    *,
    checked_on: str = "",
    draws: int = 2000,
    seed: int = 0,
    **more: Any,
) -> Result:
    """Mean rewards, and how often the reward model prefers a model to the first one.

    Reward models like length, or its absence, for its own sake. So the paired difference is also
    given where both answers are equally long: the intercept of the least-squares line of the
    difference of rewards over that of lengths, as length-controlled AlpacaEval has it for a judge
    (Dubois et al. 2024, arXiv:2404.04475).

    Args:
        model: name of the reward model.
        scored: by subject, the answers to the same prompts in the same order; the first subject is
            the one that the others are compared with.
        check: labelled pairs that the reward model has scored; it is not trusted unless it is right
            more often than a coin on them. Nobody checked where there are none.
        checked_on: name of these pairs.
        draws: of the bootstrap over groups of near-duplicate prompts.
        seed: of the draws.
        more: further fields of the result, such as `inputs` and `notes`.
    """
    first, *others = scored
    groups = [one.group for one in scored[first]]
    columns = {name: [one.reward for one in found] for name, found in scored.items()}
    shown: dict[str, Any] = {"unit": "score", "better": "higher"}
    figures = list(compared("reward", columns, groups, draws=draws, seed=seed, **shown))
    means = Means(groups, draws=draws, seed=seed)
    for name in others:
        won = [_credit(a, b) for a, b in zip(columns[name], columns[first], strict=True)]
        yes = {"against": first, "better": "higher"}
        figures.append(figure("preferred by the reward model", name, means.share(won), **yes))
        level = _at_equal_length(scored[name], scored[first], draws, seed)
        told = "reward, difference at equal length"
        figures.append(figure(told, name, level, against=first, **shown))
    figures += _lengths(scored, means)
    details = {name: [asdict(one) for one in found] for name, found in scored.items()}
    evaluators = (_evaluator(model, check, checked_on, draws),)
    return Result(
        "rewards", tuple(scored), tuple(figures), evaluators, details=details, **more
    ).distrusted()


def _credit(reward: float | None, other: float | None) -> float | None:
    """1 for the higher reward, ½ for the same, 0 for the lower one."""
    if reward is None or other is None:
        return None
    return 0.5 if reward == other else float(reward > other)


def _lengths(scored: Mapping[str, Sequence[Scored]], means: Means) -> Iterator[Figure]:
    for name, found in scored.items():
        lengths = [None if one.reward is None else float(one.length) for one in found]
        # What an answer's length is, does not depend on who prefers it.
        yield figure(
            "characters", name, means.mean(lengths), unit="score", rests_on=("the answers",)
        )


def _at_equal_length(
    after: Sequence[Scored], before: Sequence[Scored], draws: int, seed: int
) -> Interval | None:
    """The intercept of Δreward = a + b · Δlength; None where all lengths differ by the same."""
    pairs = [
        (one.reward - other.reward, one.length - other.length, one.group)
        for one, other in zip(after, before, strict=True)
        if one.reward is not None and other.reward is not None
    ]
    if not pairs:
        return None
    gap = np.array([pair[0] for pair in pairs])
    longer = np.array([pair[1] for pair in pairs], dtype=np.float64)
    columns = np.column_stack([np.ones_like(gap), gap, longer, longer * longer, gap * longer])
    bootstrap = SumBootstrap([pair[2] for pair in pairs], draws=draws, seed=seed)
    return bootstrap.interval(columns, _intercept)


def _intercept(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    n, gap, longer, squared, both = sums.T
    spread = n * squared - longer * longer
    top = gap * squared - longer * both
    # Where lengths never differ there is nothing to control for.
    level: NDArray[np.float64] = np.divide(top, spread, out=gap / n, where=spread > 0)
    return level


def _evaluator(model: str, check: Sequence[ScoredPair], name: str, draws: int) -> Evaluator:
    if not check:
        return Evaluator(model, about="the reward model")
    right = [one.right for one in check]
    found = share_interval(right, [one.group for one in check], draws=draws)
    return Evaluator(
        model,
        checked_on=name,
        accuracy=sum(right) / len(right),
        low=None if found is None else found.low,
        high=None if found is None else found.high,
        n=len(right),
        about="the reward model",
    )
