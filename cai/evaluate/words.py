"""Figures of evaluations in words, for tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cai.evaluate.results import Figure

__all__ = ["shown", "told"]


def told(one: Figure) -> str:
    """A figure with its interval; of one without a number, whether that can be measured."""
    if one.value is None:
        return (one.unmeasured or "not measured").partition(":")[0]
    if one.unit == "count":
        return f"{one.value:,.0f}"
    low, high = one.low, one.high
    if low is None or high is None:
        return shown(one, one.value)
    return f"{shown(one, one.value)} [{shown(one, low)}, {shown(one, high)}]"


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
