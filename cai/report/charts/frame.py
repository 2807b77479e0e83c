"""Axes: ticks, grid lines and titles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.charts.records import WIDTH, Line, Words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cai.report.charts.records import Anchor, Mark
    from cai.report.charts.scale import Scale

__all__ = ["BELOW", "across", "upwards"]

BELOW = 40.0
"""Room for ticks and title below a plot."""


def across(
    scale: Scale, marks: Iterable[tuple[float, str]], top: float, bottom: float, title: str
) -> Iterator[Mark]:
    """The axis below a plot, with a grid line for each tick."""
    for value, text in marks:
        x = scale(value)
        anchor: Anchor = "start" if x < 12 else "end" if x > WIDTH - 16 else "middle"
        yield Line(x, top, x, bottom, "grid")
        yield Words(x, bottom + 15, text, "tick", anchor)
    middle = (scale.start + scale.end) / 2
    yield Words(middle, bottom + 33, title, "axis-title", "middle")


def upwards(
    scale: Scale, marks: Iterable[tuple[float, str]], right: float, title: str
) -> Iterator[Mark]:
    """The axis left of a plot; its title lies above it, where it reads without turning the head."""
    left = 42.0
    for value, text in marks:
        y = scale(value)
        yield Line(left, y, right, y, "grid")
        yield Words(left - 6, y + 4, text, "tick", "end")
    yield Words(2, scale.end - 12, title, "axis-title")
