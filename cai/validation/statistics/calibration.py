"""How far stated probabilities are from what people say, and where a judge and people differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cai.validation.statistics.intervals import Interval

__all__ = [
    "Binned",
    "ReliabilityBin",
    "binned",
    "brier",
    "confusion",
    "expected_calibration_error",
    "reliability",
]


@dataclass(frozen=True, slots=True)
class Binned:
    """Pairs seen from the side that the model prefers.

    Args:
        confidence: (n,) probability of that side, from ½ to 1.
        right: (n,) target of that side, from 0 to 1.
        index: (n,) bin of each pair, from 0.
    """

    confidence: NDArray[np.float64]
    right: NDArray[np.float64]
    index: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One point of a reliability diagram, seen from the side that the model prefers."""

    low: float
    high: float
    """The edges; `high` belongs to the next bin, but for 1."""
    n: int
    confidence: float
    """Mean probability of the preferred side, from ½ to 1."""
    accuracy: Interval
    """Mean target of the preferred side. With soft targets its interval is wider than need be."""


def brier(p: ArrayLike, target: ArrayLike) -> float:
    """Mean of (p − target)², from 0 to 1 (Brier 1950, one of its two equal halves).

    Args:
        p: (n,) probabilities that the first answer is better.
        target: (n,) labels from 0 to 1, ½ for a tie.

    Raises:
        ValueError: there is no pair, the shapes differ, or a value is outside 0 … 1.
    """
    given, label = _checked(p, target)
    return float(((given - label) ** 2).mean())


def expected_calibration_error(p: ArrayLike, target: ArrayLike, bins: int = 10) -> float:
    """Σ (n_b / n) |mean target − mean confidence| over bins of equal width, from 0 to 1.

    Guo et al. 2017 (arXiv:1706.04599), equation 3, over the bins of `reliability`. The same figure
    as `cai.train.calibration` gives for tensors.

    Args:
        p: (n,) probabilities that the first answer is better.
        target: (n,) labels from 0 to 1, ½ for a tie.
        bins: number of bins between ½ and 1.

    Raises:
        ValueError: as `reliability`.
    """
    found = reliability(p, target, bins)
    total = sum(b.n for b in found)
    return sum(b.n / total * abs(b.accuracy.estimate - b.confidence) for b in found)


def reliability(p: ArrayLike, target: ArrayLike, bins: int = 10) -> tuple[ReliabilityBin, ...]:
    """The bins that hold a pair, in the order of their confidence.

    Each pair is seen from the side that the model prefers, so that confidences lie between ½ and 1
    and the order of the answers does not matter.

    Args:
        p: (n,) probabilities that the first answer is better.
        target: (n,) labels from 0 to 1, ½ for a tie.
        bins: number of bins of equal width between ½ and 1.

    Raises:
        ValueError: there is no pair, the shapes differ, a value is outside 0 … 1, or bins is
            below 1.
    """
    given = binned(p, target, bins)
    found = []
    for b in range(bins):
        inside = given.index == b
        n = int(inside.sum())
        if n:
            low, high = 0.5 + b / (2 * bins), 0.5 + (b + 1) / (2 * bins)
            accuracy = wilson(float(given.right[inside].sum()), n)
            mean = float(given.confidence[inside].mean())
            found.append(ReliabilityBin(low, high, n, mean, accuracy))
    return tuple(found)


def binned(p: ArrayLike, target: ArrayLike, bins: int = 10) -> Binned:
    """Turn each pair to the side that the model prefers, and find its bin.

    Args:
        p: as for `reliability`, like `target` and `bins`.
        target: likewise.
        bins: likewise.

    Raises:
        ValueError: as `reliability`.
    """
    if bins < 1:
        raise ValueError(f"A diagram needs at least 1 bin, got {bins}")
    given, label = _checked(p, target)
    turned = given < 0.5
    confidence = np.where(turned, 1.0 - given, given)
    right = np.where(turned, 1.0 - label, label)
    index = np.minimum(((confidence - 0.5) * 2.0 * bins).astype(np.int64), bins - 1)
    return Binned(confidence, right, index)


def confusion(judge: Sequence[str], people: Sequence[str]) -> dict[tuple[str, str], int]:
    """How often the judge said one label where people said another; only pairs that occur.

    Args:
        judge: (n,) labels.
        people: (n,) labels of the same items.

    Returns:
        Counts by (judge, people), in sorted order.

    Raises:
        ValueError: the lengths differ.
    """
    if len(judge) != len(people):
        raise ValueError(f"Each label needs a partner, got {len(judge)} and {len(people)}")
    return dict(sorted(Counter(zip(judge, people, strict=True)).items()))


def _checked(p: ArrayLike, target: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    given, label = np.asarray(p, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if given.ndim != 1 or given.shape != label.shape or not len(given):
        got = f"{given.shape} and {label.shape}"
        raise ValueError(f"p and target must have the same shape (n,) with n > 0, got {got}")
    for name, values in (("p", given), ("target", label)):
        # Said this way round so that NaN fails, too.
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError(f"{name} must lie from 0 to 1, got {values.min()} to {values.max()}")
    return given, label
