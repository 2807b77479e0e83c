"""A rate from few labels of people and many of a judge: prediction-powered inference.

PPI (Angelopoulos et al. 2023, arXiv:2301.09633) and PPI++ (Angelopoulos, Duchi, Zrnic 2023,
arXiv:2311.01453), extended to labels drawn by a plan and to items that come in clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import stdtrit

from cai.validation.statistics.influence import Influence, influence

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["PPIEstimate", "ppi_mean"]

Method = Literal["wilson", "t", "normal"]

_FEW = 30
"""Fewer independent labels than this draw a warning."""

_KNOWN = 10
"""So many labels against the judge halve what is added for errors not seen."""

_RARE = 5
"""Fewer labels than this on the rarer side, or against the judge, draw a warning."""


@dataclass(frozen=True, slots=True)
class PPIEstimate:
    """The mean of what people would say about all items, with its interval.

    `classical` uses the same labels, weights and clusters without the judge (λ = 0).
    """

    estimate: float
    low: float
    high: float
    level: float
    classical: float
    classical_low: float
    classical_high: float
    power: float
    """λ: how far the judge is relied on, 0 (not at all) to 1."""
    n_labelled: int
    n_all: int
    """Items with a prediction, the labelled ones among them."""
    gain: float
    """Variance without the judge over variance with it; above 1 where the judge helps."""
    n_worth: float
    """So many labels without the judge would be as exact: `gain` · `n_labelled`."""
    method: Method
    """`wilson` for rates, `t` for other means, `normal` for the large-sample one of the papers."""
    warnings: tuple[str, ...] = ()


def ppi_mean(
    labels: ArrayLike,
    predictions: ArrayLike,
    unlabelled: ArrayLike,
    *,
    inclusion: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    nested: bool = True,
    power: float | None = None,
    interval: Literal["auto", "normal"] = "auto",
    level: float = 0.95,
) -> PPIEstimate:
    """Estimate E[y] by λ·mean(f) + Σ wᵢ (yᵢ − λ fᵢ) (PPI++ for means, with weights).

    The interval is for items like these, not only for this list of them: the sampling of the list
    counts, so there is no finite-population correction. The weights are Hájek's, w ∝ 1/π and
    Σ w = 1. They equal Horvitz and Thompson's wherever each stratum gave exactly π·N labels; where
    labels are missing, Hájek's still give the mean of a constant right.

    Args:
        labels: (n,) what people said; rates have labels in [0, 1].
        predictions: (n,) the judge on the same items.
        unlabelled: (m,) the judge on the other items.
        inclusion: (n,) probability π of having been drawn; default: labels per items of the
            stratum, or equal. Without `strata`, the draws count as independent.
        strata: (n + m,) stratum of each item, labelled ones first; needs `nested`.
        clusters: (n + m,) cluster of each item, labelled ones first; default: each its own.
        nested: mean(f) is over all n + m items, from which the labelled ones were drawn. False is
            the setting of the papers, two separate samples: mean(f) is over the m others.
        power: λ in [0, 1]; default: the one with the smallest variance, clipped to [0, 1].
        interval: `auto` is Wilson's interval (1927) for rates, with the number of trials that the
            variance is worth, and Student's t for other means; `normal` is that of the papers,
            which falls short with few labels, rare errors or rates near 0 or 1.
        level: coverage aimed at.

    Raises:
        ValueError: lengths, values or options that do not fit together.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    if power is not None and not 0 <= power <= 1:
        raise ValueError(f"power must lie in [0, 1], got {power}")
    parts = influence(labels, predictions, unlabelled, inclusion, strata, clusters, nested=nested)
    lam = parts.best_power() if power is None else power
    rate = bool(np.all((parts.labels >= 0) & (parts.labels <= 1)))
    method: Method = "normal" if interval == "normal" else "wilson" if rate else "t"
    return _summary(parts, lam, method, level, tuned=power is None)


def _summary(
    parts: Influence, lam: float, method: Method, level: float, *, tuned: bool
) -> PPIEstimate:
    estimate, variance, low, high = _interval(parts, lam, method, level, tuned=tuned)
    plain, plain_variance, plain_low, plain_high = _interval(parts, 0.0, method, level)
    gain = plain_variance / variance if variance > 0 else 1.0
    n = len(parts.labels)
    return PPIEstimate(
        estimate=estimate,
        low=low,
        high=high,
        level=level,
        classical=plain,
        classical_low=plain_low,
        classical_high=plain_high,
        power=lam,
        n_labelled=n,
        n_all=n + parts.n_unlabelled,
        gain=gain,
        n_worth=gain * n,
        method=method,
        warnings=parts.warnings + _warnings(parts, lam, method),
    )


def _interval(
    parts: Influence, lam: float, method: Method, level: float, *, tuned: bool = False
) -> tuple[float, float, float, float]:
    """Estimate, variance, low and high at one λ."""
    theta, variance = parts.estimate(lam), parts.variance(lam)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    if method == "normal":
        half = z * variance**0.5
        return theta, variance, theta - half, theta + half
    # A tuned λ costs one degree of freedom: its variance was minimised on these very labels.
    df = max(parts.df - (1 if tuned and lam > 0 else 0), 1.0)
    variance *= parts.n_independent / min(df, parts.n_independent)
    crit = float(stdtrit(df, 0.5 + level / 2))
    if method == "t":
        half = crit * variance**0.5
        return theta, variance, theta - half, theta + half
    # As if up to z²/2 more labels had contradicted the judge outright. Where none did, the variance
    # alone would say that it never errs; this says about the rule of three. It fades as more do.
    against = variance * parts.n_weighted**2
    variance += z * z / 2 / (1 + against / _KNOWN) / parts.n_weighted**2
    theta = min(max(theta, 0.0), 1.0)
    return theta, variance, *_wilson(theta, variance, crit, parts.n_weighted)


def _wilson(p: float, variance: float, crit: float, n: float) -> tuple[float, float]:
    """The score interval with as many trials as the variance is worth (Korn & Graubard 1998)."""
    q = crit * crit
    shrunk = (p * n + q / 2) / (n + q)
    trials = shrunk * (1 - shrunk) / variance
    centre = (p + q / (2 * trials)) / (1 + q / trials)
    half = crit * (p * (1 - p) / trials + q / (4 * trials * trials)) ** 0.5 / (1 + q / trials)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _warnings(parts: Influence, lam: float, method: Method) -> tuple[str, ...]:
    y, n = parts.labels, len(parts.labels)
    found: list[str] = []
    if parts.n_independent < _FEW:
        found.append(
            f"{n} labels are worth only {parts.n_independent:.0f} independent ones; below {_FEW} "
            "the interval is rough."
        )
    if method == "t" or y.min() < 0 or y.max() > 1:
        return tuple(found)
    if method == "wilson" and not 0 <= parts.estimate(lam) <= 1:
        found.append("The estimate fell outside 0 to 1 and was moved to the border.")
    rarer = min(_count(y > 0.5), _count(y < 0.5))
    if rarer < _RARE:
        found.append(
            f"Only {rarer} of {n} labels are on the rarer side; a rate so extreme is rough."
        )
    against = _count(np.abs(y - parts.predictions) > 0.5)
    if lam > 0 and against < _RARE:
        found.append(
            f"Only {against} of {n} labels contradict the judge; its errors are hardly known."
        )
    return tuple(found)


def _count(where: NDArray[Any]) -> int:
    return int(np.count_nonzero(where))
