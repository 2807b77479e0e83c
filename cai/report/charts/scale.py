"""From values to places: round ticks, straight scales, and labels that fit."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["SHARES", "Scale", "fitting", "percent", "ticks"]

_LETTER = 6.2
"""Mean width of a letter at the size of labels, in units of the viewBox."""

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps `low` … `high` to `start` … `end` in a straight line; values beyond stay at the ends."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value."""
        if self.high == self.low:
            return self.start
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)


def ticks(top: float, most: int = 5) -> list[float]:
    """Round values from 0 to the first one at or above `top`, at most `most` + 1 of them.

    Steps are 1, 2 or 5 times a power of ten and never below 1: what is counted here are things.
    """
    if top <= 0:
        return [0.0, 1.0]
    raw = max(top / most, 1.0)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    return [i * step for i in range(math.ceil(top / step - 1e-9) + 1)]


def fitting(text: str, width: float) -> str:
    """The beginning of a text that fits into a width."""
    most = max(1, int(width / _LETTER))
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def percent(value: float, digits: int = 0) -> str:
    """A share for people."""
    return f"{100 * value:.{digits}f}%"
