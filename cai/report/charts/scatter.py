"""Things that have two measures each, with the range of both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.report.charts.frame import BELOW, across, upwards
from cai.report.charts.records import WIDTH, Chart, Dot, Line, Table, Words
from cai.report.charts.scale import Scale, fitting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.report.charts.records import Anchor, Mark

__all__ = ["Place", "scatter_chart"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 42.0, WIDTH - 14, 30.0, 270.0
_LETTER, _LINE = 6.2, 13.0

Range = tuple[float, float, float]
"""A value, and the low and high end of its interval."""

Box = tuple[float, float, float, float]
"""Left, right, top and bottom."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands on both axes."""

    label: str
    x: Range
    y: Range


def scatter_chart(
    name: str, title: str, places: Sequence[Place], x_title: str, y_title: str
) -> Chart:
    """A dot with an error bar across and one upwards for each place.

    Lines mark zero, where it lies inside. A label for which there is no room is left out; pointing
    at the dot shows it, and the table has it.

    Args:
        name: unique in the page.
        title: of the chart.
        places: at least one.
        x_title: what is measured across, with its unit.
        y_title: what is measured upwards, with its unit.
    """
    across_at, up_at = _round([p.x for p in places]), _round([p.y for p in places])
    x = Scale(across_at[0], across_at[-1], _LEFT, _RIGHT)
    y = Scale(up_at[0], up_at[-1], _BOTTOM, _TOP)
    marks: list[Mark] = list(upwards(y, [(v, _tick(v)) for v in up_at], _RIGHT, y_title))
    marks += across(x, [(v, _tick(v)) for v in across_at], _TOP, _BOTTOM, x_title)
    marks.append(Line(x(0.0), _TOP, x(0.0), _BOTTOM, "reference"))
    marks.append(Line(_LEFT, y(0.0), _RIGHT, y(0.0), "reference"))
    for place in places:
        marks += _bars(place, x, y)
    for place in places:
        marks.append(Dot(x(place.x[0]), y(place.y[0]), 4.5, "point", _said(place)))
    marks += _labels(places, x, y)
    columns = ("", x_title, "Low", "High", y_title, "Low", "High")
    return Chart(
        id=name,
        title=title,
        desc=f"{x_title} across and {y_title} upwards, with 95% intervals. "
        f"{'; '.join(map(_said, places[:8]))}.",
        height=_BOTTOM + BELOW,
        marks=tuple(marks),
        table=Table(
            f"{title}: figures",
            columns,
            tuple((p.label, *(f"{v:,.1f}" for v in (*p.x, *p.y))) for p in places),
            frozenset(range(1, 7)),
        ),
    )


def _round(ranges: Sequence[Range]) -> list[float]:
    """Four to seven round values around all ends and zero; steps are 1, 2 or 5 times a power."""
    low = min(0.0, *(v for r in ranges for v in r))
    high = max(0.0, *(v for r in ranges for v in r))
    if low == high:
        low, high = -1.0, 1.0
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


def _bars(place: Place, x: Scale, y: Scale) -> Iterator[Mark]:
    (at_x, left, right), (at_y, low, high) = place.x, place.y
    yield Line(x(left), y(at_y), x(right), y(at_y), "range thin")
    yield Line(x(at_x), y(low), x(at_x), y(high), "range thin")


def _labels(places: Sequence[Place], x: Scale, y: Scale) -> Iterator[Words]:
    """Each label beside its dot, where it covers no dot and no other label."""
    taken: list[Box] = [
        (x(p.x[0]) - 5, x(p.x[0]) + 5, y(p.y[0]) - 5, y(p.y[0]) + 5) for p in places
    ]
    for place in places:
        text = fitting(place.label, 130)
        width, at_x, at_y = _LETTER * len(text), x(place.x[0]), y(place.y[0])
        choices: tuple[tuple[float, float, Anchor], ...] = (
            (at_x + 8, at_y - 7, "start"),
            (at_x - 8, at_y - 7, "end"),
            (at_x + 8, at_y + 17, "start"),
            (at_x - 8, at_y + 17, "end"),
        )
        for start, base, anchor in choices:
            left = start if anchor == "start" else start - width
            box = (left, left + width, base - _LINE + 2, base + 2)
            inside = box[0] >= 2 and box[1] <= WIDTH - 2 and box[3] <= _BOTTOM
            if inside and not any(_overlap(box, one) for one in taken):
                taken.append(box)
                yield Words(start, base, text, "label halo", anchor)
                break


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def _said(place: Place) -> str:
    (x, x_low, x_high), (y, y_low, y_high) = place.x, place.y
    return (
        f"{place.label}: {_shown(x)} [{_shown(x_low)}, {_shown(x_high)}] across, "
        f"{_shown(y)} [{_shown(y_low)}, {_shown(y_high)}] upwards"
    )


def _tick(value: float) -> str:
    """Short enough for the room beside the axis."""
    return f"{_shown(value / 1000)}k" if abs(value) >= 10_000 else _shown(value)


def _shown(value: float) -> str:
    """Three digits, and a true minus sign."""
    digits = 0 if abs(value) >= 100 or value == round(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}")
