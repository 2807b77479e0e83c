"""Figures of pairwise accuracy with their 95 % intervals, and what length alone explains."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["pairwise_summary"]

_Z = 1.959963984540054


def pairwise_summary(right: Tensor, chosen: Tensor, rejected: Tensor) -> dict[str, float]:
    """How often the chosen answer wins, and how much of that is length.

    Args:
        right: (n,) 1 where the chosen answer wins, ½ for a tie, 0 where it loses.
        chosen: (n,) tokens of the chosen answers.
        rejected: (n,) tokens of the rejected answers.

    Returns:
        The interval of the accuracy; the accuracy where the chosen answer is longer and where it is
        shorter; that of the rule "the shorter one wins", and the paired difference to it.
    """
    n = len(right)
    accuracy = wilson(float(right.sum()), n)
    figures = {"accuracy_low": accuracy.low, "accuracy_high": accuracy.high, "pairs": float(n)}
    for name, where in (("longer", chosen > rejected), ("shorter", chosen < rejected)):
        if where.any():
            figures[f"accuracy_chosen_{name}"] = float(right[where].mean())
    shorter = (chosen < rejected).float() + 0.5 * (chosen == rejected).float()
    difference = right - shorter
    figures["shorter_wins"] = float(shorter.mean())
    figures["over_shorter"] = float(difference.mean())
    if n > 1:
        half = _Z * float(difference.std()) / math.sqrt(n)
        figures["over_shorter_low"] = float(difference.mean()) - half
        figures["over_shorter_high"] = float(difference.mean()) + half
    return figures
