"""Charts: every figure is drawn where it belongs, and all of it can be read without seeing."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cai.report
from cai.report.charts import (
    Chart,
    Dot,
    Estimate,
    Line,
    Rect,
    Words,
    histogram,
    interval_chart,
    reliability_chart,
    stacked_bars,
)
from cai.report.charts.scale import Scale, fitting, ticks
from cai.validation.statistics.calibration import reliability

STYLE = (Path(cai.report.__file__).parent / "templates" / "page.css").read_text()


def check(chart: Chart) -> None:
    """All marks lie inside, there are words for everything, and axes have titles."""
    for mark in chart.marks:
        match mark:
            case Rect():
                assert mark.width > 0 and mark.height > 0
                ends = (mark.x, mark.x + mark.width), (mark.y, mark.y + mark.height)
            case Line():
                ends = (mark.x1, mark.x2), (mark.y1, mark.y2)
            case Dot():
                ends = (mark.x - mark.r, mark.x + mark.r), (mark.y - mark.r, mark.y + mark.r)
            case Words():
                half = 3.1 * len(mark.text)
                shift = {"start": half, "middle": 0.0, "end": -half}[mark.anchor]
                ends = (mark.x + shift - half, mark.x + shift + half), (mark.y - 10, mark.y)
        for (low, high), most in zip(ends, (chart.width, chart.height), strict=True):
            assert low >= -4 and high <= most + 4, mark
    assert chart.title and chart.desc and chart.table.caption and chart.table.rows
    assert all(len(row) == len(chart.table.columns) for row in chart.table.rows)
    assert any(isinstance(m, Words) and m.look == "axis-title" for m in chart.marks)


@given(st.integers(0, 10**9), st.integers(2, 8))
def test_ticks_are_round_and_reach_the_top(top: int, most: int):
    found = ticks(top, most)
    assert found[0] == 0 and found[-1] >= top and 2 <= len(found) <= most + 1
    step = found[1]
    assert step >= 1 and str(int(step)).rstrip("0") in ("1", "2", "5")
    assert found == [i * step for i in range(len(found))]


def test_scales_and_labels_keep_to_their_room():
    scale = Scale(0, 10, 100, 200)
    assert [scale(v) for v in (-5, 0, 5, 10, 99)] == [100, 100, 150, 200, 200]
    assert Scale(1, 1, 3, 4)(1) == 3
    assert fitting("short", 100) == "short" and fitting("a" * 50, 62) == "a" * 9 + "…"


@given(st.lists(st.integers(0, 5000), min_size=20, max_size=20))
def test_histogram(counts: list[int]):
    chart = histogram("h", "p of pairs", counts, "p")
    check(chart)
    bars = [mark for mark in chart.marks if isinstance(mark, Rect)]
    assert len(bars) == sum(count > 0 for count in counts)
    assert [row[1] for row in chart.table.rows] == [f"{count:,}" for count in counts]
    tallest = max(bars, key=lambda bar: bar.height, default=None)
    assert tallest is None or tallest.hover.endswith(f": {max(counts):,}")


@pytest.mark.parametrize("shares", [True, False])
def test_stacked_bars(shares: bool):
    rows = {
        "one": {"a": 3, "b": 1},
        "two, which has a name that is far too long for its room" * 2: {"z": 1},
    }
    chart = stacked_bars("s", "Parts", rows, ("a", "b", "c"), "things", shares=shares)
    check(chart)
    # A part that nobody thought of is drawn all the same, and colours stay with their parts.
    assert chart.legend == (("s0", "a"), ("s1", "b"), ("s3", "z"))
    a, b, z = (mark for mark in chart.marks if isinstance(mark, Rect))
    assert a.width / b.width == pytest.approx(3, rel=0.05)
    assert (z.width > a.width) == shares
    assert chart.table.rows[0] == ("one", "3", "1", "0")
    assert "one: 3 a, 1 b." in chart.desc


def test_intervals():
    some = [
        Estimate("first slot", 0.568, 0.546, 0.604, "236 answers"),
        Estimate("x" * 90, 1, 0.4, 1),
    ]
    chart = interval_chart("i", "Leaning", some, "Share", reference=0.5, meaning="no preference")
    check(chart)
    dots = [mark for mark in chart.marks if isinstance(mark, Dot)]
    ranges = [m for m in chart.marks if isinstance(m, Line) and m.look == "range"]
    assert [d.x for d in dots] == pytest.approx([8 + 342 * 0.568, 350])
    assert all(line.x1 <= dot.x <= line.x2 for line, dot in zip(ranges, dots, strict=True))
    assert chart.table.rows[0] == ("first slot", "56.8%", "54.6%", "60.4%", "236 answers")
    assert "first slot: 56.8% [54.6, 60.4]" in chart.desc and "no preference" in chart.desc


def test_reliability():
    bins = reliability([0.55, 0.95, 0.95, 0.1, 1.0], [1.0, 1.0, 0.0, 0.0, 1.0])
    chart = reliability_chart("r", bins)
    check(chart)
    dots = [mark for mark in chart.marks if isinstance(mark, Dot)]
    assert len(dots) == len(bins) == len(chart.table.rows)
    assert [dot.x for dot in dots] == sorted(dot.x for dot in dots)
    assert max(dots, key=lambda dot: dot.r).hover.endswith("3 pairs")


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast(theme: int):
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", STYLE.split(":root")[1 + theme]))
    texts = [(text, on) for text in ("ink", "muted", "accent") for on in ("page", "card")]
    texts += [("ink", "sunken"), ("muted", "sunken"), ("warn", "card")]
    texts += [(level, f"{level}-soft") for level in ("good", "warn", "bad")]
    texts += [("inside", f"s{i}") for i in range(7)]
    for text, on in texts:
        assert _contrast(colours[text], colours[on]) >= 4.5, (text, on)
    for i in range(7):
        assert _contrast(colours[f"s{i}"], colours["card"]) >= 3, i
