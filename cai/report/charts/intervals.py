"""Estimates with the ranges that they may well have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.report.charts.frame import BELOW, across
from cai.report.charts.records import WIDTH, Chart, Dot, Line, Table, Words
from cai.report.charts.scale import SHARES, Scale, fitting, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.report.charts.records import Mark

__all__ = ["Estimate", "interval_chart"]

_ROW = 42.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share from 0 to 1 with its interval. `of` says what it is a share of, and how many."""

    label: str
    value: float
    low: float
    high: float
    of: str = ""

    def __str__(self) -> str:
        """For people: `56.8% [54.6, 60.4]`."""
        return f"{percent(self.value, 1)} [{100 * self.low:.1f}, {100 * self.high:.1f}]"


def interval_chart(
    name: str,
    title: str,
    estimates: Sequence[Estimate],
    x_title: str,
    *,
    reference: float | None = None,
    meaning: str = "",
) -> Chart:
    """A dot for each estimate on a line for its interval.

    Args:
        name: unique in the page.
        title: of the chart.
        estimates: from top to bottom.
        x_title: what is estimated, with its unit.
        reference: where a line is drawn.
        meaning: what the line stands for.
    """
    x = Scale(0, 1, 8, WIDTH - 10)
    bottom = len(estimates) * _ROW + 6
    marks: list[Mark] = list(
        across(x, [(value, percent(value)) for value in SHARES], 4, bottom, x_title)
    )
    if reference is not None:
        marks.append(Line(x(reference), 0, x(reference), bottom, "reference"))
    for i, estimate in enumerate(estimates):
        marks += _row(estimate, x, i * _ROW)
    line = f" The line at {percent(reference)} stands for {meaning}." if reference else ""
    said = "; ".join(f"{e.label}: {e}" for e in estimates[:8])
    return Chart(
        id=name,
        title=title,
        desc=f"Estimates with 95% intervals. {said}.{line}",
        height=bottom + BELOW,
        marks=tuple(marks),
        table=Table(
            f"{title}: figures",
            ("", "Estimate", "Low", "High", "Of"),
            tuple(
                (e.label, percent(e.value, 1), percent(e.low, 1), percent(e.high, 1), e.of)
                for e in estimates
            ),
            frozenset({1, 2, 3}),
        ),
    )


def _row(estimate: Estimate, x: Scale, y: float) -> Iterator[Mark]:
    said = str(estimate)
    yield Words(2, y + 15, fitting(estimate.label, WIDTH - 18 - 6.2 * len(said)), "label halo")
    yield Words(WIDTH - 4, y + 15, said, "label quiet halo", "end")
    at = y + 29
    yield Line(x(0), at, x(1), at, "track")
    yield Line(x(estimate.low), at, x(estimate.high), at, "range")
    yield Dot(
        x(estimate.value), at, 5.5, "point", f"{estimate.label}: {said} {estimate.of}".strip()
    )
