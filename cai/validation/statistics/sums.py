"""One bootstrap over clusters for many statistics of sums: shares, ratios, κ.

`cluster_bootstrap` draws anew for each statistic and looks at each row of each draw. A statistic
that is a function of sums over rows needs the sums of each cluster alone, and the same draws serve
all such statistics. Equal clusters, draws and seed give the same interval either way.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from cai.validation.statistics.intervals import Interval, bca_ends, wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray

    OfSums = Callable[[NDArray[np.float64]], NDArray[np.float64]]

__all__ = ["SumBootstrap"]

_MANY = 10_000
"""With more clusters the interval is normal, with the jackknife's standard error."""
_LARGE = 4_000_000
"""Draws times clusters from which on the draws are kept in a quarter of the memory."""
_TOGETHER = 256
"""Draws that are multiplied out at once then."""


class SumBootstrap:
    """Draws of whole clusters, made once.

    Args:
        clusters: (n,) the cluster of each row.
        draws: bootstrap samples.
        seed: the same seed gives the same intervals.
        level: from 0 to 1, both excluded.

    Raises:
        ValueError: draws is below 2, or level is out of its range.
    """

    def __init__(
        self,
        clusters: Sequence[Hashable],
        *,
        draws: int = 2000,
        seed: int = 0,
        level: float = 0.95,
    ) -> None:
        if draws < 2:
            raise ValueError(f"A bootstrap needs at least 2 draws, got {draws}")
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {level}")
        known: dict[Hashable, int] = {}
        self._ids = np.array([known.setdefault(c, len(known)) for c in clusters], dtype=np.intp)
        self._n = len(known)
        self._draws, self._seed, self._level = draws, seed, level

    def share(self, values: ArrayLike, counted: NDArray[np.bool_]) -> Interval | None:
        """The mean of values from 0 to 1 over the rows that count, as `share_interval`.

        Args:
            values: (n,); those of rows that do not count are not looked at.
            counted: (n,).

        Returns:
            None with fewer than 2 clusters that have a row that counts.
        """
        given = np.where(counted, np.asarray(values, dtype=np.float64), 0.0)
        columns = np.column_stack([given, counted])

        def mean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
            return _divided(sums[:, 0], sums[:, 1])

        found = self.interval(columns, mean)
        if found is None or found.estimate not in (0.0, 1.0):
            return found and replace(found, low=max(0.0, found.low), high=min(1.0, found.high))
        # No draw differs from another.
        return wilson(found.estimate * found.n, found.n, self._level)

    def interval(self, columns: NDArray[np.float64], statistic: OfSums) -> Interval | None:
        """A statistic of the sums of columns, with its BCa interval.

        Args:
            columns: (n, k); rows without any entry do not count as a trial of their cluster.
            statistic: takes (m, k) sums and gives (m,) values; NaN where it is not defined.

        Returns:
            None as `cluster_bootstrap`; clusters without an entry are not counted.
        """
        sums = np.zeros((self._n, columns.shape[1]))
        np.add.at(sums, self._ids, columns)
        n = int(sums.any(axis=1).sum())
        total = sums.sum(axis=0)
        estimate = float(statistic(total[None])[0]) if n > 1 else np.nan
        if np.isnan(estimate):
            return None
        left = statistic(total - sums)
        left = left[~np.isnan(left)]
        if self._n > _MANY:
            return self._normal(estimate, left, n)
        values = statistic(self._drawn(sums))
        defined = values[~np.isnan(values)]
        if len(defined) < 2:
            return None
        skewed = left if self._n <= self._draws else np.array([])
        low, high = bca_ends(defined, estimate, skewed, self._level)
        return Interval(estimate, low, high, self._level, n, 1.0 - len(defined) / self._draws)

    @property
    def _kind(self) -> type[np.float64 | np.uint16]:
        return np.float64 if self._draws * self._n <= _LARGE else np.uint16

    def _drawn(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """(draws, k) the sums of each draw."""
        weights = self._weights
        if weights.dtype == np.float64:
            return weights @ sums
        parts = np.split(weights, range(_TOGETHER, self._draws, _TOGETHER))
        return np.concatenate([part.astype(np.float64) @ sums for part in parts])

    def _normal(self, estimate: float, left: NDArray[np.float64], n: int) -> Interval:
        # Efron & Tibshirani 1993, equation 11.5.
        error = float(np.sqrt((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum()))
        half = NormalDist().inv_cdf(0.5 + self._level / 2) * error
        return Interval(estimate, estimate - half, estimate + half, self._level, n)

    @cached_property
    def _weights(self) -> NDArray[np.float64 | np.uint16]:
        """(draws, clusters) how often each cluster is in each draw; small numbers where many."""
        rng = np.random.default_rng(self._seed)
        weights = np.empty((self._draws, self._n), dtype=self._kind)
        for i in range(self._draws):
            weights[i] = np.bincount(rng.integers(self._n, size=self._n), minlength=self._n)
        return weights


def _divided(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where the divisor is 0."""
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)
