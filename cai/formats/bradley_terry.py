"""Strengths of answers or models from soft comparisons, after Bradley and Terry.

The model: p(i ≻ j) = σ(s_i - s_j). The likelihood, and when it has a maximum: Hunter 2004, "MM
algorithms for generalized Bradley–Terry models", Annals of Statistics 32(1), eq. 1 and 2 and
assumption 1. A comparison with probability p counts as p of a win and 1 - p of a loss.

Newton's method finds the maximum here, not Hunter's MM steps (eq. 3): where a judge is almost
sure, p near 0 or 1, those take some 1 / (1 - p) steps. The tests hold the result against them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Comparison", "connected", "most_likely", "strengths", "win_rates"]

_SUREST = 1e-6
"""A p of exactly 0 or 1 has no maximum; it counts as this close to it."""

_STEPS = 100
_CLOSE = 1e-10
_ROUNDING = 1e-14
"""Relative; a step that lowers a likelihood by no more has not lowered it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`p` is the probability that item `first` is better than item `second`; both are indices."""

    first: int
    second: int
    p: float


def connected(comparisons: Iterable[Comparison]) -> list[list[int]]:
    """Items that hang together through comparisons; others cannot be put on one scale.

    Groups and their items are in the order of their smallest index.
    """
    group_of: dict[int, list[int]] = {}
    for one in comparisons:
        groups = [group_of.setdefault(i, [i]) for i in (one.first, one.second)]
        if groups[0] is not groups[1]:
            groups[0] += groups[1]
            group_of |= dict.fromkeys(groups[1], groups[0])
    unique = {id(group): sorted(group) for group in group_of.values()}
    return sorted(unique.values())


def strengths(comparisons: Sequence[Comparison], items: Sequence[int]) -> list[float]:
    """The most likely s of each item, in natural logarithms, with mean zero.

    Args:
        comparisons: of these items with one another.
        items: a group that hangs together, as `connected` gives it.
    """
    import numpy as np

    place = {item: i for i, item in enumerate(items)}
    wins = np.zeros((len(items), len(items)))
    for one in comparisons:
        if one.first in place:
            i, j, p = place[one.first], place[one.second], min(max(one.p, _SUREST), 1.0 - _SUREST)
            wins[i, j] += p
            wins[j, i] += 1.0 - p
    found: list[float] = most_likely(wins[None])[0].tolist()
    return found


def most_likely(wins: Floats) -> Floats:
    """The most likely s of several tables of wins at once, such as the draws of a bootstrap.

    Args:
        wins: (tables, items, items); how often the item of a row has beaten that of a column. Parts
            of a win count: the likelihood is linear in them, so only their sums matter.

    Returns:
        (tables, items), in natural logarithms, each table with mean zero; NaN where there is no
        maximum: the items fall into two groups of which one has never beaten the other.
    """
    import numpy as np

    found = np.full(wins.shape[:2], np.nan)
    bounded = _all_reachable(wins > 0.0)
    if bounded.any():
        found[bounded] = _newton(wins[bounded])
    return found


def win_rates(s: Sequence[float]) -> list[float]:
    """For each item, its mean probability of beating the others, from 0 to 1; of two it is p."""
    return [
        math.fsum(_sigmoid(x - y) for j, y in enumerate(s) if j != i) / (len(s) - 1)
        for i, x in enumerate(s)
    ]


def _all_reachable(beaten: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(tables,) whether every item is reached from every other along wins."""
    import numpy as np

    count = beaten.shape[1]
    reached = beaten | np.eye(count, dtype=bool)
    for _ in range(max(1, count - 1).bit_length()):
        reached = np.matmul(reached, reached)
    result: NDArray[np.bool_] = np.asarray(reached.all(axis=(1, 2)))
    return result


def _newton(wins: Floats) -> Floats:
    import numpy as np

    met = wins + wins.transpose(0, 2, 1)
    s = np.zeros(wins.shape[:2])
    gaps = s[:, :, None] - s[:, None, :]
    likelihood = _likelihood(wins, gaps)
    for _ in range(_STEPS):
        step = _step(wins, met, gaps)
        size = np.ones((len(s), 1))
        # The likelihood is concave, so some shorter step along the direction must raise it.
        while True:
            tried = s + size * step
            gaps = tried[:, :, None] - tried[:, None, :]
            reached = _likelihood(wins, gaps)
            lower = reached < likelihood - _ROUNDING * np.abs(likelihood)
            worse = lower & (size[:, 0] >= _CLOSE)
            if not worse.any():
                break
            size[worse] /= 2
        s, likelihood = tried, reached
        if np.abs(step).max() < _CLOSE:
            break
    centred: Floats = s - s.mean(axis=1, keepdims=True)
    return centred


def _likelihood(wins: Floats, gaps: Floats) -> Floats:
    import numpy as np

    summed: Floats = -(wins * np.logaddexp(0.0, -gaps)).sum(axis=(1, 2))
    return summed


def _step(wins: Floats, met: Floats, gaps: Floats) -> Floats:
    """(-H)⁻¹ g; the mean of s is free, so that its direction is filled with ones."""
    import numpy as np

    count = wins.shape[1]
    likely = 0.5 * (1.0 + np.tanh(0.5 * gaps))
    gradient = (wins - met * likely).sum(axis=2)
    # Flat far out: the floor keeps the matrix regular and shortens the step, no more.
    weight = met * np.maximum(likely * (1.0 - likely), 1e-12)
    curvature = 1.0 / count - weight
    diagonal = np.arange(count)
    curvature[:, diagonal, diagonal] += weight.sum(axis=2)
    step: Floats = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
    return step


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
