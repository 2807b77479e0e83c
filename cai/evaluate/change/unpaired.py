"""The difference of two figures of which nothing but their intervals is known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cai.validation.statistics.intervals import Interval, share_difference

if TYPE_CHECKING:
    from cai.evaluate.results import Figure

__all__ = ["unpaired"]


def unpaired(after: Figure, before: Figure) -> Interval | None:
    """`after` less `before`, as if both had been asked different cases.

    With l, u the ends of the intervals, the difference d of two independent estimates lies from
    d − √((θ₁ − l₁)² + (u₂ − θ₂)²) to d + √((u₁ − θ₁)² + (θ₂ − l₂)²): Zou & Donner 2008 (Statistics
    in Medicine 27:1693-1702, equation 3), for shares Newcombe 1998, method 10. Where both were
    asked the same and tend to be right together, this is wider than it has to be.

    Returns:
        None where a figure has no value or no interval.
    """
    one, other = _interval(after), _interval(before)
    if one is None or other is None:
        return None
    if after.unit == "share":
        return share_difference(one, other)
    gap = one.estimate - other.estimate
    low = gap - math.hypot(one.estimate - one.low, other.high - other.estimate)
    high = gap + math.hypot(one.high - one.estimate, other.estimate - other.low)
    return Interval(gap, low, high, n=one.n + other.n)


def _interval(figure: Figure) -> Interval | None:
    if figure.value is None or figure.low is None or figure.high is None:
        return None
    return Interval(figure.value, figure.low, figure.high, n=figure.n)
