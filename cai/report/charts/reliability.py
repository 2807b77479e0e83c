"""The reliability diagram: how sure the judge is against how often it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.charts.frame import BELOW, across, upwards
from cai.report.charts.records import WIDTH, Chart, Dot, Line, Table
from cai.report.charts.scale import SHARES, Scale, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.report.charts.records import Mark
    from cai.validation.statistics.calibration import ReliabilityBin

__all__ = ["reliability_chart"]

_TOP, _BOTTOM = 30.0, 250.0


def reliability_chart(name: str, bins: Sequence[ReliabilityBin]) -> Chart:
    """Dots on the dashed line are neither too sure nor too modest; larger dots hold more pairs."""
    x, y = Scale(0.5, 1, 42, WIDTH - 14), Scale(0, 1, _BOTTOM, _TOP)
    marks: list[Mark] = list(
        upwards(y, [(v, percent(v)) for v in SHARES], WIDTH - 14, "Right by people's labels")
    )
    sure = [(v, percent(v)) for v in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)]
    marks += across(x, sure, _BOTTOM, _BOTTOM, "How sure the judge is, max(p, 1 − p)")
    marks.append(Line(x(0.5), y(0.5), x(1), y(1), "reference"))
    most = max((b.n for b in bins), default=1)
    for b in bins:
        at = x(b.confidence)
        marks.append(Line(at, y(b.accuracy.low), at, y(b.accuracy.high), "range thin"))
        said = f"{percent(b.confidence)} sure, {percent(b.accuracy.estimate)} right, {b.n:,} pairs"
        marks.append(Dot(at, y(b.accuracy.estimate), 3.5 + 5 * (b.n / most) ** 0.5, "point", said))
    rows = tuple(
        (
            *(f"{percent(b.low)} to {percent(b.high)}", f"{b.n:,}", percent(b.confidence, 1)),
            percent(b.accuracy.estimate, 1),
            f"{100 * b.accuracy.low:.1f} to {100 * b.accuracy.high:.1f}",
        )
        for b in bins
    )
    columns = ("Sure", "Pairs", "Mean sureness", "Right", "95% interval")
    return Chart(
        id=name,
        title="Reliability of the judge's probabilities",
        desc=f"Reliability diagram over {sum(b.n for b in bins):,} pairs in {len(bins)} bins. "
        "Points below the dashed diagonal mean that the judge is surer than it is right.",
        height=_BOTTOM + BELOW,
        marks=tuple(marks),
        table=Table("Reliability: figures", columns, rows, frozenset(range(1, 5))),
    )
