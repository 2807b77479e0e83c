"""Figures of a reward model from arrays of scores; whoever scores has the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cai.evaluate.floor import enough
from cai.evaluate.means import Means
from cai.evaluate.results import Figure, Result, figure
from cai.evaluate.reward_model.best_of_n import expected_best, kl_of_best
from cai.judge.alone import logistic
from cai.validation.statistics.calibration_error import calibration_error
from cai.validation.statistics.sums import SumBootstrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cai.evaluate.reward_model.candidates import CandidateSet
    from cai.evaluate.reward_model.pairs import LabelledPair

__all__ = ["ScoredPair", "reward_model_result"]


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """A labelled pair as the figures need it: scores, lengths in characters, subset, prompt."""

    group: str
    subset: str
    chosen: float
    rejected: float
    chosen_length: int
    rejected_length: int

    @classmethod
    def of(cls, pair: LabelledPair, chosen: float, rejected: float) -> ScoredPair:
        """With the scores of both answers."""
        lengths = len(pair.chosen), len(pair.rejected)
        return cls(pair.group, pair.subset, chosen, rejected, *lengths)

    @property
    def margin(self) -> float:
        """The score of the chosen answer less that of the other."""
        return self.chosen - self.rejected

    @property
    def right(self) -> float:
        """1 where the chosen answer has more, ½ where both have the same."""
        return 0.5 if self.margin == 0 else float(self.margin > 0)

    @property
    def prefers_longer(self) -> float | None:
        """Whether the longer answer has more; None where both are equally long."""
        gap = self.chosen_length - self.rejected_length
        if not gap:
            return None
        return self.right if gap > 0 else 1.0 - self.right


def reward_model_result(
    model: str,
    pairs: Sequence[ScoredPair],
    candidates: Sequence[tuple[CandidateSet, Sequence[float]]] = (),
    *,
    draws: int = 2000,
    seed: int = 0,
    **more: Any,
) -> Result:
    """All figures; intervals are clustered by prompt.

    Args:
        model: its name.
        pairs: scored, in any order.
        candidates: with the scores of each; for the curve of the best of n.
        draws: of the bootstrap.
        seed: of the draws.
        more: further fields of the result, such as `inputs` and `notes`.
    """
    figures: list[Figure] = []
    details: dict[str, Any] = {"pairs": [asdict(one) for one in pairs]}
    if pairs:
        figures += _pair_figures(model, pairs, draws, seed)
    if candidates:
        curve = list(_curve(model, candidates, draws, seed))
        figures += curve
        sizes = [one.group.removeprefix("n=") for one in curve if one.name == "best of n"]
        details["kl_bound"] = {n: kl_of_best(int(n)) for n in sizes}
    return Result("reward-model", (model,), tuple(figures), details=details, **more)


def _pair_figures(
    model: str, pairs: Sequence[ScoredPair], draws: int, seed: int
) -> Iterator[Figure]:
    means = Means([one.group for one in pairs], draws=draws, seed=seed)
    right = [one.right for one in pairs]
    yield figure("accuracy", model, means.share(right), better="higher")
    subsets = sorted({one.subset for one in pairs})
    if len(subsets) > 1:
        for subset in subsets:
            own = [one.right if one.subset == subset else None for one in pairs]
            group = subset or "(no subset)"
            yield figure("accuracy", model, means.share(own), group=group, better="higher")
        yield _over_subsets(model, pairs, subsets, draws, seed)
    for name, longer in (("chosen is longer", True), ("chosen is shorter", False)):
        gaps = [one.chosen_length - one.rejected_length for one in pairs]
        own = [r if g and (g > 0) == longer else None for r, g in zip(right, gaps, strict=True)]
        yield figure("accuracy", model, means.share(own), group=name, better="higher")
    longer_wins = means.share([one.prefers_longer for one in pairs])
    yield figure("prefers the longer answer", model, longer_wins)
    chosen_longer = [
        None
        if one.chosen_length == one.rejected_length
        else float(one.chosen_length > one.rejected_length)
        for one in pairs
    ]
    yield figure("the longer answer is the chosen one", "", means.share(chosen_longer))
    p = [logistic(one.margin) for one in pairs]
    groups = [one.group for one in pairs]
    error = calibration_error(p, [1.0] * len(p), groups, draws=draws, seed=seed)
    yield figure("calibration error", model, enough(error), better="lower")
    brier = means.mean([(1.0 - one) ** 2 for one in p])
    yield figure("Brier score, 0 to 1", model, brier, unit="score", better="lower")


def _over_subsets(
    model: str, pairs: Sequence[ScoredPair], subsets: Sequence[str], draws: int, seed: int
) -> Figure:
    """The mean of the subsets' accuracies, each of them counted once."""
    columns = np.zeros((len(pairs), 2 * len(subsets)))
    for row, one in enumerate(pairs):
        place = 2 * subsets.index(one.subset)
        columns[row, place : place + 2] = one.right, 1.0

    def mean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        top, bottom = sums[:, 0::2], sums[:, 1::2]
        shares = np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)
        # Not defined in a draw that lacks a subset.
        found: NDArray[np.float64] = shares.mean(axis=1)
        return found

    bootstrap = SumBootstrap([one.group for one in pairs], draws=draws, seed=seed)
    found = enough(bootstrap.interval(columns, mean))
    return figure("accuracy", model, found, group="mean over subsets", better="higher")


def _curve(
    model: str,
    candidates: Sequence[tuple[CandidateSet, Sequence[float]]],
    draws: int,
    seed: int,
) -> Iterator[Figure]:
    """The curve up to the least number of candidates of any prompt, and what it could be."""
    least = min(len(one.gold) for one, _ in candidates)
    means = Means([one.prompt.id for one, _ in candidates], draws=draws, seed=seed)
    curves = np.array([expected_best(scores, one.gold)[:least] for one, scores in candidates])
    best = np.array([expected_best(one.gold, one.gold)[:least] for one, _ in candidates])
    more: dict[str, Any] = {"unit": "score", "better": "higher"}
    for n in range(1, least + 1):
        own, ideal = curves[:, n - 1].tolist(), best[:, n - 1].tolist()
        yield figure("best of n", model, means.mean(own), group=f"n={n}", **more)
        if n > 1:
            gain = means.difference(own, curves[:, 0].tolist())
            yield figure("gain over one answer", model, gain, group=f"n={n}", **more)
        yield figure("best of n by gold", "", means.mean(ideal), group=f"n={n}", **more)
