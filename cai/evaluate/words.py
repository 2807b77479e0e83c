"""Figures of evaluations in words, for tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cai.evaluate.results import Figure

__all__ = ["UNCHECKED", "shown", "told"]

UNCHECKED = "evaluator not checked"
"""Stands behind a number whose judge nobody has tried on labelled cases."""


def told(one: Figure) -> str:
    """A figure with its interval; of one without a number, whether that can be measured.

    A number whose judge nobody has checked says so.
    """
    if one.value is None:
        return (one.unmeasured or "not measured").partition(":")[0]
    if one.unit == "count":
        return f"{one.value:,.0f}"
    low, high = one.low, one.high
    doubt = f" ({UNCHECKED})" if one.unchecked else ""
    if low is None or high is None:
        return f"{shown(one, one.value)}{doubt}"
    return f"{shown(one, one.value)} [{shown(one, low)}, {shown(one, high)}]{doubt}"


def shown(one: Figure, value: float) -> str:
    """A value in the unit of a figure; differences have a sign."""
    # A share against another model, such as a win rate, is no difference.
    difference = one.unit == "points" or (one.unit == "score" and one.against)
    sign = "+" if difference else ""
    if one.unit == "share":
        return f"{value:{sign}.1%}"
    if one.unit == "points":
        return f"{100 * value:{sign}.1f}"
    return f"{value:{sign}.2f}"
