"""The change of a share between two models that answered the same questions.

Of n questions, b are right after and not before, and c before and not after. The change is
(b − c) / n. Its interval is Tango's score interval (1998, Statistics in Medicine 17:891-908,
section 3): all Δ with |Z(Δ)| ≤ z, where

    Z(Δ) = (b − c − nΔ) / √(n (2 q + Δ (1 − Δ))),

and q, the probability of c under Δ, is the larger root of 2n q² + B q + C = 0 with
B = (2n − b + c) Δ − b − c and C = −c Δ (1 − Δ). Z(0)² is McNemar's statistic. A bootstrap would
have an interval without width where no answer changed; this one then reaches ± z² / (n + z²).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from cai.validation.statistics.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Paired", "paired", "tango"]


@dataclass(frozen=True, slots=True)
class Paired:
    """What became of the questions that both models have a reading for.

    `p` is that of McNemar's exact test, two-sided; `interval` is None without a question.
    """

    n: int
    gained: int
    lost: int
    p: float
    interval: Interval | None


def paired(after: Sequence[bool | None], before: Sequence[bool | None]) -> Paired:
    """Compare the answers of two models, question by question; None where there is no reading.

    Raises:
        ValueError: the lengths differ.
    """
    from scipy.stats import binomtest

    both = [(a, b) for a, b in zip(after, before, strict=True) if a is not None and b is not None]
    gained, lost = both.count((True, False)), both.count((False, True))
    changed = gained + lost
    p = float(binomtest(gained, changed, 0.5).pvalue) if changed else 1.0
    return Paired(len(both), gained, lost, p, tango(gained, lost, len(both)) if both else None)


def tango(gained: int, lost: int, n: int, level: float = 0.95) -> Interval:
    """Tango's score interval of (gained − lost) / n.

    Raises:
        ValueError: there are fewer than one question, or fewer than have changed.
    """
    if n < 1 or min(gained, lost) < 0 or gained + lost > n:
        raise ValueError(
            f"gained and lost must be 0 or more and n at least their sum and 1; got {gained}, "
            f"{lost} and {n}"
        )
    z = NormalDist().inv_cdf(0.5 + level / 2)
    estimate = (gained - lost) / n
    low = _end(gained, lost, n, z, -1.0)
    high = _end(gained, lost, n, -z, 1.0)
    return Interval(estimate, min(low, estimate), max(high, estimate), level, n)


def _end(b: int, c: int, n: int, wanted: float, outer: float) -> float:
    """Where Z, which falls with Δ, is as wanted: between the estimate and the outer end."""
    inner = (b - c) / n
    for _ in range(80):  # Halving a width of at most 2 so often leaves rounding alone.
        middle = (inner + outer) / 2
        if abs(_score(b, c, n, middle)) < abs(wanted):
            inner = middle
        else:
            outer = middle
    return (inner + outer) / 2


def _score(b: int, c: int, n: int, delta: float) -> float:
    """Z(Δ); infinite where Δ is impossible."""
    linear = (2 * n - b + c) * delta - b - c
    root = math.sqrt(max(linear**2 + 8 * n * c * delta * (1 - delta), 0.0))
    q = (root - linear) / (4 * n)
    gap, variance = b - c - n * delta, n * (2 * q + delta * (1 - delta))
    if variance <= 0:
        return math.copysign(math.inf, gap) if gap else 0.0
    return gap / math.sqrt(variance)
