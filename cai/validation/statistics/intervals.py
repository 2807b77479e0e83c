"""Intervals of a share, of a difference of shares, and of any statistic of clustered rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

    Statistic = Callable[[NDArray[np.intp]], float | None]

__all__ = [
    "Interval",
    "bca_ends",
    "cluster_bootstrap",
    "share_difference",
    "wilson",
]

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the range that it may well have. No field is ever NaN."""

    estimate: float
    low: float
    high: float
    level: float = 0.95
    n: int = 0
    """Trials of a share, or clusters of a bootstrap."""
    left_out: float = 0.0
    """Share of the bootstrap draws in which the statistic was not defined, from 0 to 1."""

    @property
    def trusted(self) -> bool:
        """Whether at most a tenth of the draws was left out; else the range may be too narrow."""
        return self.left_out <= 0.1


def wilson(successes: float, n: int, level: float = 0.95) -> Interval:
    """The score interval of a share (Wilson 1927).

    Args:
        successes: from 0 to n; may hold halves, for ties.
        n: number of trials.
        level: from 0 to 1, both excluded.

    Raises:
        ValueError: n is below 1, or successes or level are out of their range.
    """
    if n < 1:
        raise ValueError(f"A share needs at least 1 trial, got n = {n}")
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie from 0 to n = {n}, got {successes}")
    z = _quantile(level)
    share, z2 = successes / n, z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # At shares of 0 and 1 one end is the share itself; rounding must not move it past that.
    return Interval(share, max(0.0, min(share, centre - half)), max(share, centre + half), level, n)


def share_difference(after: Interval, before: Interval) -> Interval:
    """`after` − `before` for two independent shares (Newcombe 1998, method 10).

    Args:
        after: from `wilson`.
        before: from `wilson`, at the same level.

    Raises:
        ValueError: the levels differ.
    """
    if after.level != before.level:
        raise ValueError(f"Both shares need the same level, got {after.level} and {before.level}")
    gap = after.estimate - before.estimate
    low = gap - math.hypot(after.estimate - after.low, before.high - before.estimate)
    high = gap + math.hypot(after.high - after.estimate, before.estimate - before.low)
    return Interval(gap, max(-1.0, low), min(1.0, high), after.level, after.n + before.n)


def cluster_bootstrap(
    statistic: Statistic,
    clusters: Sequence[Hashable],
    *,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval | None:
    """Resample whole clusters with replacement; BCa interval (Efron 1987).

    As in Efron & Tibshirani 1993, An Introduction to the Bootstrap, equations 14.9 to 14.15.

    BCa, not the percentiles: with 20 to 50 clusters the percentiles of kappa and alpha cover too
    seldom. Its jackknife costs one call of `statistic` per cluster. With more clusters than draws
    the acceleration, of order 1/√clusters, is taken as 0 instead.

    A statistic that is the same in every draw (perfect agreement) has an interval without width.

    Args:
        statistic: takes row indices, in which a row may come up several times; None where it is
            not defined. Those draws are left out, and `Interval.left_out` says how many.
        clusters: the cluster of each row.
        draws: number of bootstrap samples.
        seed: the same seed gives the same interval.
        level: from 0 to 1, both excluded.

    Returns:
        None with fewer than 2 clusters, or where the statistic is not defined on all rows or in
        fewer than 2 draws.

    Raises:
        ValueError: level is out of its range, or draws is below 2.
    """
    if draws < 2:
        raise ValueError(f"A bootstrap needs at least 2 draws, got {draws}")
    _quantile(level)  # Refuses a level that is out of range even where there is nothing to draw.
    rows = _Rows(clusters)
    estimate = statistic(np.arange(len(clusters))) if rows.n > 1 else None
    if estimate is None:
        return None
    values = _values(statistic, rows, draws, seed)
    if len(values) < 2:
        return None
    left = _left(statistic, rows) if rows.n <= draws else np.array([])
    low, high = bca_ends(values, estimate, left, level)
    left_out = 1.0 - len(values) / draws
    return Interval(estimate, low, high, level, rows.n, left_out)


def bca_ends(
    values: NDArray[np.float64], estimate: float, left: NDArray[np.float64], level: float
) -> tuple[float, float]:
    """Low and high end of the BCa interval (1993, equations 14.9 to 14.15).

    Args:
        values: (draws,) the statistic in each draw.
        estimate: the statistic on all rows.
        left: (clusters,) the statistic without each cluster; the acceleration is 0 when empty.
        level: from 0 to 1, both excluded.

    Raises:
        ValueError: level is out of its range.
    """
    low, high = np.quantile(values, _tails(values, estimate, _acceleration(left), _quantile(level)))
    return float(low), float(high)


def _values(statistic: Statistic, rows: _Rows, draws: int, seed: int) -> NDArray[np.float64]:
    """The statistic in each draw in which it is defined."""
    rng = np.random.default_rng(seed)
    samples = (statistic(rows.draw(rng)) for _ in range(draws))
    return np.array([value for value in samples if value is not None], dtype=np.float64)


class _Rows:
    """The rows of each cluster, side by side."""

    def __init__(self, clusters: Sequence[Hashable]) -> None:
        known: dict[Hashable, int] = {}
        ids = np.array([known.setdefault(c, len(known)) for c in clusters], dtype=np.intp)
        self.n = len(known)
        self.order = np.argsort(ids, kind="stable")
        self.sizes = np.bincount(ids, minlength=self.n)
        self.starts = np.cumsum(self.sizes) - self.sizes

    def draw(self, rng: np.random.Generator) -> NDArray[np.intp]:
        drawn = rng.integers(self.n, size=self.n)
        sizes = self.sizes[drawn]
        shift = self.starts[drawn] - (np.cumsum(sizes) - sizes)
        rows: NDArray[np.intp] = self.order[np.arange(sizes.sum()) + np.repeat(shift, sizes)]
        return rows

    def without(self, cluster: int) -> NDArray[np.intp]:
        start = self.starts[cluster]
        return np.delete(self.order, slice(start, start + self.sizes[cluster]))


def _left(statistic: Statistic, rows: _Rows) -> NDArray[np.float64]:
    """The statistic without each cluster, where it is defined."""
    left = (statistic(rows.without(c)) for c in range(rows.n))
    return np.array([value for value in left if value is not None], dtype=np.float64)


def _acceleration(values: NDArray[np.float64]) -> float:
    """A sixth of the skewness of the jackknife values (1993, equation 14.15)."""
    if not len(values):
        return 0.0
    gaps = values.mean() - values
    spread = float((gaps**2).sum())
    # Values that differ by rounding alone have no skewness.
    return float((gaps**3).sum()) / (6 * spread**1.5) if spread > 1e-24 else 0.0


def _tails(
    values: NDArray[np.float64], estimate: float, acceleration: float, z: float
) -> list[float]:
    """The shares of the draws between which the interval lies."""
    # Equal draws count half: kappa and alpha of few items take few values.
    equal = np.isclose(values, estimate, rtol=0.0, atol=1e-12)
    below = float(((values < estimate) & ~equal).mean() + 0.5 * equal.mean())
    edge = 0.5 / len(values)
    bias = _NORMAL.inv_cdf(min(max(below, edge), 1 - edge))
    scale = [1 - acceleration * (bias + tail) for tail in (-z, z)]
    if min(scale) <= 0:  # So few clusters that the correction breaks down; keep the percentiles.
        return [_NORMAL.cdf(-z), _NORMAL.cdf(z)]
    tails = zip((-z, z), scale, strict=True)
    return [_NORMAL.cdf(bias + (bias + tail) / by) for tail, by in tails]


def _quantile(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    return _NORMAL.inv_cdf(0.5 + level / 2)
