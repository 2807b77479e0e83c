"""How many values fall into each bin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.charts.frame import BELOW, across, upwards
from cai.report.charts.records import WIDTH, Chart, Line, Rect, Table
from cai.report.charts.scale import SHARES, Scale, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.report.charts.records import Mark

__all__ = ["histogram"]

_TOP, _BOTTOM = 30.0, 190.0


def histogram(
    name: str, title: str, counts: Sequence[int], x_title: str, y_title: str = "Pairs"
) -> Chart:
    """Values from 0 to 1 in bins of equal width, with a line at one half.

    Args:
        name: unique in the page.
        title: of the chart.
        counts: by bin.
        x_title: what the values are.
        y_title: what is counted.
    """
    heights = ticks(max(counts, default=0))
    x, y = Scale(0, 1, 42, WIDTH - 10), Scale(0, heights[-1], _BOTTOM, _TOP)
    marks: list[Mark] = list(
        upwards(y, [(value, f"{value:,.0f}") for value in heights], WIDTH - 10, y_title)
    )
    marks += across(x, [(value, f"{value:g}") for value in SHARES], _BOTTOM, _BOTTOM, x_title)
    width = 1 / len(counts)
    rows = []
    for i, count in enumerate(counts):
        low, high = i * width, (i + 1) * width
        between = f"{low:.2f} to {high:.2f}"
        rows.append((between, f"{count:,}"))
        if count:
            left = x(low)
            marks.append(
                Rect(
                    *(left + 0.7, y(count), x(high) - left - 1.4, _BOTTOM - y(count)),
                    *("s0", f"{between}: {count:,}"),
                )
            )
    marks.append(Line(x(0.5), _TOP - 6, x(0.5), _BOTTOM, "reference"))
    n = sum(counts)
    low_side = sum(counts[: len(counts) // 2])
    return Chart(
        id=name,
        title=title,
        desc=f"Histogram of {n:,} values in {len(counts)} bins from 0 to 1: {low_side:,} in the "
        f"lower half, {n - low_side:,} in the upper half; the fullest bin holds "
        f"{max(counts, default=0):,}.",
        height=_BOTTOM + BELOW,
        marks=tuple(marks),
        table=Table(f"{title}: figures", (x_title, y_title), tuple(rows), frozenset({1})),
    )
