"""Bars of several parts, one below the other, with their names above them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.charts.frame import BELOW, across
from cai.report.charts.records import WIDTH, Chart, Rect, Table, Words
from cai.report.charts.scale import SHARES, Scale, fitting, percent, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cai.report.charts.records import Mark

__all__ = ["stacked_bars"]

_ROW, _BAR, _ABOVE = 50.0, 22.0, 20.0
_LOOKS = 7
"""Colours of the style sheet; further parts share the last one."""


def stacked_bars(
    name: str,
    title: str,
    rows: Mapping[str, Mapping[str, int]],
    parts: Sequence[str],
    unit: str,
    *,
    shares: bool = True,
) -> Chart:
    """Bars as long as their shares of the whole, or as long as their counts.

    Args:
        name: unique in the page.
        title: of the chart.
        rows: counts by row and part.
        parts: in the order of drawing; others that occur follow. Each keeps its colour.
        unit: what is counted, in the plural.
        shares: every bar fills the width.
    """
    others = sorted({part for counts in rows.values() for part in counts} - set(parts))
    numbered = {part: f"s{min(i, _LOOKS - 1)}" for i, part in enumerate((*parts, *others))}
    used = [part for part in numbered if any(counts.get(part) for counts in rows.values())]
    looks = {part: numbered[part] for part in used}
    top = max((sum(counts.values()) for counts in rows.values()), default=0)
    steps = list(SHARES) if shares else ticks(top, 4)
    x = Scale(0, steps[-1], 2, WIDTH - 4)
    bottom = len(rows) * _ROW + 2
    marks: list[Mark] = list(
        across(
            x,
            [(v, percent(v) if shares else _short(v)) for v in steps],
            *(bottom - 4, bottom, f"Share of {unit}" if shares else unit.capitalize()),
        )
    )
    for i, (row, counts) in enumerate(rows.items()):
        marks += _bar(row, counts, looks, x, i * _ROW, unit, shares)
    return Chart(
        id=name,
        title=title,
        desc=f"Stacked bars of {unit}. {_spoken(rows, used)}",
        height=bottom + BELOW,
        marks=tuple(marks),
        legend=tuple((looks[part], part) for part in used),
        table=_table(title, rows, used),
    )


def _bar(
    row: str,
    counts: Mapping[str, int],
    looks: Mapping[str, str],
    x: Scale,
    y: float,
    unit: str,
    shares: bool,
) -> Iterator[Mark]:
    total, done = sum(counts.values()), 0
    ending = f"{total:,} {unit}"
    yield Words(2, y + 14, fitting(row, WIDTH - 20 - 6.2 * len(ending)), "label strong")
    yield Words(WIDTH - 4, y + 14, ending, "label quiet", "end")
    for part, look in looks.items():
        count = counts.get(part, 0)
        if not count:
            continue
        whole = total if shares else 1
        left, right = x(done / whole), x((done + count) / whole)
        done += count
        # A part that is there is seen, however small it is.
        width = max(right - left - 1.5, 1.0)
        said = f"{row}, {part}: {count:,} ({percent(count / total, 1)})"
        yield Rect(left, y + _ABOVE, width, _BAR, look, said)
        text = percent(count / total) if shares else _short(count)
        if width > 7 * len(text) + 6:
            yield Words(left + width / 2, y + _ABOVE + 15.5, text, "inside", "middle")


def _table(title: str, rows: Mapping[str, Mapping[str, int]], parts: Sequence[str]) -> Table:
    lines = [(row, *(f"{counts.get(part, 0):,}" for part in parts)) for row, counts in rows.items()]
    numbers = frozenset(range(1, len(parts) + 1))
    return Table(f"{title}: figures", ("", *parts), tuple(lines), numbers)


def _spoken(rows: Mapping[str, Mapping[str, int]], parts: Sequence[str]) -> str:
    said = []
    for row, counts in list(rows.items())[:6]:
        some = ", ".join(f"{counts[part]:,} {part}" for part in parts if counts.get(part))
        said.append(f"{row}: {some or 'none'}.")
    return " ".join(said)


def _short(value: float) -> str:
    """`1,500,000` as `1.5M`."""
    for size, sign in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{sign}"
    return f"{value:,.0f}"
