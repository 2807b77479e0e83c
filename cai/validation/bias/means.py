"""A mean with its interval, over pairs whose prompts may be much alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cai.validation.statistics.intervals import Interval, cluster_bootstrap, wilson

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike

__all__ = ["difference_interval", "share_interval"]


def share_interval(
    values: ArrayLike, clusters: Sequence[Hashable], *, draws: int = 2000, seed: int = 0
) -> Interval | None:
    """The mean of values from 0 to 1, with a bootstrap over clusters (BCa).

    Where all values are 0, or all are 1, no draw differs from another; then it is Wilson's interval
    with one trial for each cluster.

    Args:
        values: (n,).
        clusters: (n,) prompt groups.
        draws: of the bootstrap.
        seed: of the draws.

    Returns:
        None with fewer than 2 clusters.
    """
    given = np.asarray(values, dtype=np.float64)
    found = difference_interval(given, clusters, draws=draws, seed=seed)
    if found is None or given.min() < given.max() or given[0] not in (0.0, 1.0):
        return found
    return wilson(float(given[0]) * found.n, found.n, found.level)


def difference_interval(
    values: ArrayLike, clusters: Sequence[Hashable], *, draws: int = 2000, seed: int = 0
) -> Interval | None:
    """The mean of any values, such as differences within pairs; as `share_interval`."""
    given = np.asarray(values, dtype=np.float64)
    return cluster_bootstrap(
        lambda rows: float(given[rows].mean()), clusters, draws=draws, seed=seed
    )
