"""What length does: a logistic model of the verdict, and the rules that look at nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cai.validation.bias.means import difference_interval, share_interval
from cai.validation.bias.orders import credit
from cai.validation.statistics.intervals import Interval
from cai.validation.statistics.logistic import logistic, sigmoid

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cai.validation.bias.records import JudgedPair

    Floats = NDArray[np.float64]

__all__ = ["LengthFit", "LengthRules", "fits", "length_fit", "length_rules"]

Target = Literal["p", "label"]


@dataclass(frozen=True, slots=True)
class LengthFit:
    """logit P(A ≻ B) = α + φ · tanh(d / s), with d the characters that A is longer.

    Args:
        name: what A is: any answer, the gold answer, or the revision.
        target: `p`, the judge's probability, or `label`, 1 where it is above ½.
        n: pairs.
        scale: s, the root mean square of d in characters.
        raw: mean of the target.
        slope: φ; above 0 for a judge that likes length.
        at_zero: σ(α), the preference for A over an answer of equal length; None without α.
    """

    name: str
    target: Target
    n: int
    scale: float
    raw: float
    slope: Interval
    at_zero: Interval | None


@dataclass(frozen=True, slots=True)
class LengthRules:
    """The judge beside rules that know lengths alone, on pairs whose gold label names a winner.

    Args:
        n: pairs.
        prefers_longer: share of all verdicts, not only these, that prefer the longer answer.
        gold_longer: the judge's accuracy where the gold answer is longer.
        gold_longer_n: such pairs.
        gold_shorter: the judge's accuracy where it is shorter.
        gold_shorter_n: such pairs.
        longer: accuracy of "the longer answer wins"; equal lengths are half right.
        over_longer: the judge's accuracy minus that, within pairs.
        shorter: accuracy of "the shorter answer wins".
        over_shorter: the judge's accuracy minus that.
    """

    n: int
    prefers_longer: Interval | None
    gold_longer: Interval | None
    gold_longer_n: int
    gold_shorter: Interval | None
    gold_shorter_n: int
    longer: Interval | None
    over_longer: Interval | None
    shorter: Interval | None
    over_shorter: Interval | None


def length_fit(
    name: str,
    preferred: ArrayLike,
    longer: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    target: Target = "p",
    intercept: bool = True,
) -> LengthFit | None:
    """Fit the length term of length-controlled AlpacaEval (Dubois et al. 2024, arXiv:2404.04475).

    Its equation for one pair of models, without the term of the instruction. s is the root mean
    square and not the standard deviation, so that a pair says the same from either side.

    Args:
        name: of A.
        preferred: (n,) probability that A is better than B.
        longer: (n,) characters by which A is longer.
        clusters: (n,) prompt groups; standard errors are robust over them.
        target: fit the probabilities, or the labels that they make.
        intercept: False where which answer is A was drawn: α is then 0.

    Returns:
        None where the coefficients are not determined.
    """
    p, d = np.asarray(preferred, dtype=np.float64), np.asarray(longer, dtype=np.float64)
    scale = float(np.sqrt((d**2).mean())) if len(d) else 0.0
    if scale == 0.0:
        return None
    y = p if target == "p" else np.where(p == 0.5, 0.5, p > 0.5)
    columns = [np.ones(len(d))] if intercept else []
    fit = logistic(np.column_stack([*columns, np.tanh(d / scale)]), y, clusters)
    if fit is None:
        return None
    at_zero = None
    if intercept:
        alpha = fit.interval(0)
        at, low, high = sigmoid([alpha.estimate, alpha.low, alpha.high]).tolist()
        at_zero = Interval(at, low, high, alpha.level, alpha.n)
    slope = fit.interval(int(intercept))
    return LengthFit(name, target, len(d), scale, float(y.mean()), slope, at_zero)


def fits(pairs: Sequence[JudgedPair]) -> tuple[LengthFit, ...]:
    """The model for all pairs, for the gold answer, and for revisions, where it can be fitted."""
    judged = [pair for pair in pairs if pair.p is not None]
    found = []
    for target in ("p", "label"):
        views: list[tuple[str, list[tuple[JudgedPair, bool]], bool]] = [
            ("any answer", [(pair, False) for pair in judged], False),
            ("gold answer", [(q, q.gold == 0.0) for q in judged if q.gold in (0.0, 1.0)], True),
            ("revision", [(pair, True) for pair in judged if pair.kind == "revision"], True),
        ]
        for name, those, intercept in views:
            rows = [_seen(pair, turned=turned) for pair, turned in those]
            if not rows:
                continue
            p, d, groups = zip(*rows, strict=True)
            fit = length_fit(name, p, d, groups, target=target, intercept=intercept)
            found.append(fit)
    return tuple(fit for fit in found if fit is not None)


def length_rules(pairs: Sequence[JudgedPair], *, draws: int = 2000, seed: int = 0) -> LengthRules:
    """Accuracy by the length of the gold answer, and of rules that look at length alone."""
    judged = [pair for pair in pairs if pair.p is not None]
    seen = [_seen(pair, turned=False) for pair in judged]
    likes = [(credit(p, float(d > 0)), group) for p, d, group in seen if d != 0]
    scored = [_seen(q, turned=q.gold == 0.0) for q in judged if q.gold in (0.0, 1.0)]
    right = np.array([credit(p, 1.0) for p, _, _ in scored])
    sign = np.array([float(np.sign(d)) for _, d, _ in scored])
    groups = [group for _, _, group in scored]
    rule = 0.5 + 0.5 * sign
    options = {"draws": draws, "seed": seed}

    def share(values: Floats, *, where: float | None = None) -> Interval | None:
        kept = np.flatnonzero(sign == where) if where is not None else np.arange(len(values))
        return share_interval(values[kept], [groups[i] for i in kept], **options)

    return LengthRules(
        n=len(scored),
        prefers_longer=share_interval([v for v, _ in likes], [g for _, g in likes], **options),
        gold_longer=share(right, where=1.0),
        gold_longer_n=int((sign > 0).sum()),
        gold_shorter=share(right, where=-1.0),
        gold_shorter_n=int((sign < 0).sum()),
        longer=share(rule),
        over_longer=difference_interval(right - rule, groups, **options),
        shorter=share(1.0 - rule),
        over_shorter=difference_interval(right - 1.0 + rule, groups, **options),
    )


def _seen(pair: JudgedPair, *, turned: bool) -> tuple[float, int, str]:
    """p, how much longer, and the group, from one side of the pair."""
    assert pair.p is not None
    longer = pair.lengths[0] - pair.lengths[1]
    return (1.0 - pair.p, -longer, pair.group) if turned else (pair.p, longer, pair.group)
