"""Strengths of answers from soft comparisons, after Bradley and Terry.

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

__all__ = ["Comparison", "connected", "strengths", "win_rates"]

_SUREST = 1e-6
"""A p of exactly 0 or 1 has no maximum; it counts as this close to it."""

_STEPS = 100
_CLOSE = 1e-10


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
    place = {item: i for i, item in enumerate(items)}
    pairs = [
        (place[one.first], place[one.second], min(max(one.p, _SUREST), 1.0 - _SUREST))
        for one in comparisons
        if one.first in place
    ]
    s = [0.0] * len(items)
    likelihood = _likelihood(s, pairs)
    for _ in range(_STEPS):
        step = _newton_step(s, pairs)
        size = 1.0
        # The likelihood is concave, so some shorter step along the direction must raise it.
        while True:
            tried = [x + size * d for x, d in zip(s, step, strict=True)]
            reached = _likelihood(tried, pairs)
            if reached >= likelihood or size < _CLOSE:
                break
            size /= 2
        s, likelihood = tried, reached
        if max(map(abs, step)) < _CLOSE:
            break
    mean = math.fsum(s) / len(s)
    return [x - mean for x in s]


def win_rates(s: Sequence[float]) -> list[float]:
    """For each item, its mean probability of beating the others, from 0 to 1; of two it is p."""
    return [
        math.fsum(_sigmoid(x - y) for j, y in enumerate(s) if j != i) / (len(s) - 1)
        for i, x in enumerate(s)
    ]


_Soft = tuple[int, int, float]


def _likelihood(s: Sequence[float], pairs: Iterable[_Soft]) -> float:
    return math.fsum(
        p * _log_sigmoid(s[i] - s[j]) + (1.0 - p) * _log_sigmoid(s[j] - s[i]) for i, j, p in pairs
    )


def _newton_step(s: Sequence[float], pairs: Iterable[_Soft]) -> list[float]:
    """(-H)⁻¹ g; the mean of s is free, so that its direction is filled with ones."""
    import numpy as np

    count = len(s)
    gradient = np.zeros(count)
    curvature = np.full((count, count), 1.0 / count)
    for i, j, p in pairs:
        likely = _sigmoid(s[i] - s[j])
        gradient[i] += p - likely
        gradient[j] -= p - likely
        # Flat far out: the floor keeps the matrix regular and shortens the step, no more.
        weight = max(likely * (1.0 - likely), 1e-12)
        curvature[i, i] += weight
        curvature[j, j] += weight
        curvature[i, j] -= weight
        curvature[j, i] -= weight
    step: list[float] = np.linalg.solve(curvature, gradient).tolist()
    return step


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def _log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x >= 0 else x - math.log1p(math.exp(x))
