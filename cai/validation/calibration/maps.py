"""Fitting the maps. All are rising and symmetric: swapping the pair turns p into 1 − p."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq

from cai.store.calibrated import CalibrationMap, log_odds
from cai.validation.statistics.logistic import sigmoid

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["fit_isotonic", "fit_platt", "fit_temperature", "pool_adjacent"]

_STEEPEST = 100.0
"""Labels that p foretells without a mistake would ask for an infinite slope."""
_DIGITS = 12
"""Probabilities that agree to so many digits are the same: 1 − 0.7 is not quite 0.3."""


def fit_temperature(p: ArrayLike, target: ArrayLike) -> CalibrationMap:
    """σ(logit(p) / T) with the likeliest T (Guo et al. 2017, arXiv:1706.04599, section 4.2).

    A judge whose p has nothing to do with the labels, or runs against them, gets slope 1/T = 0.

    Args:
        p: (n,) probabilities that the first answer is better.
        target: (n,) labels from 0 to 1, ½ for a tie.
    """
    odds = np.array([log_odds(value) for value in np.asarray(p, dtype=np.float64)])
    return CalibrationMap("temperature", _slope(odds, np.asarray(target, dtype=np.float64)))


def fit_platt(p: ArrayLike, target: ArrayLike) -> CalibrationMap:
    """σ(A · (2p − 1)) after Platt 1999, Probabilistic outputs for support vector machines.

    Every pair counts from both sides, which makes his B zero, and his targets (N + 1)/(N + 2) and
    1/(N + 2). It flattens off where a temperature does not: f(1) = σ(A) is below 1.

    Args:
        p: as for `fit_temperature`.
        target: likewise.
    """
    label = np.asarray(target, dtype=np.float64)
    sure = (len(label) + 1.0) / (len(label) + 2.0)
    softened = label * sure + (1.0 - label) * (1.0 - sure)
    return CalibrationMap("platt", _slope(2.0 * np.asarray(p, dtype=np.float64) - 1.0, softened))


def fit_isotonic(p: ArrayLike, target: ArrayLike) -> CalibrationMap:
    """The rising steps nearest to the labels (Zadrozny & Elkan 2002), joined by straight lines.

    Every pair counts from both sides, so that the steps are symmetric. Values are kept within
    1/(n + 2) of 0 and 1: a few labels show no certainty.

    Args:
        p: as for `fit_temperature`.
        target: likewise.
    """
    given, label = np.asarray(p, dtype=np.float64), np.asarray(target, dtype=np.float64)
    x = np.round(np.concatenate([given, 1.0 - given]), _DIGITS)
    places, values = pool_adjacent(x, np.concatenate([label, 1.0 - label]))
    edge = 1.0 / (len(given) + 2.0)
    kept = np.clip(values, edge, 1.0 - edge)
    upper = [(float(a), float(b)) for a, b in zip(places, kept, strict=True) if a > 0.5]
    return CalibrationMap("isotonic", knots=((0.5, 0.5), *upper))


def pool_adjacent(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Least squares among rising functions: pool adjacent violators (Ayer et al. 1955).

    Args:
        x: (n,) places, in any order; equal ones share a value.
        y: (n,) what is to be fitted there.

    Returns:
        The distinct places in rising order, and the value at each.
    """
    places, index, counts = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(index, y) / counts
    blocks: list[tuple[float, int, int]] = []
    for mean, count in zip(means.tolist(), counts.tolist(), strict=True):
        value, weight, width = mean, count, 1
        while blocks and blocks[-1][0] >= value:
            before, other, wide = blocks.pop()
            value = (value * weight + before * other) / (weight + other)
            weight, width = weight + other, width + wide
        blocks.append((value, weight, width))
    return places, np.repeat([b[0] for b in blocks], [b[2] for b in blocks])


def _slope(feature: Floats, target: Floats) -> float:
    """The a ≥ 0 that maximises Σ y log σ(a·f) + (1 − y) log σ(−a·f), which is concave in a."""

    def gradient(a: float) -> float:
        return float(feature @ (target - sigmoid(a * feature)))

    if gradient(0.0) <= 0.0:
        return 0.0
    if gradient(_STEEPEST) >= 0.0:
        return _STEEPEST
    return float(brentq(gradient, 0.0, _STEEPEST, xtol=1e-12))
