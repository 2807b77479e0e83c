"""Figures for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.report.charts import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.validation.statistics.intervals import Interval

__all__ = ["counts", "decimal", "estimate", "points", "share"]


def share(interval: Interval | None) -> str:
    """A share from 0 to 1 with its interval."""
    return "not computed" if interval is None else str(estimate("", interval))


def points(interval: Interval | None) -> str:
    """A difference of shares with its interval, in percentage points."""
    if interval is None:
        return "not computed"
    at, low, high = (100 * v for v in (interval.estimate, interval.low, interval.high))
    return f"{at:+.1f} points [{low:+.1f}, {high:+.1f}]"


def estimate(label: str, interval: Interval, of: str = "") -> Estimate:
    """An interval as a chart wants it."""
    return Estimate(label, interval.estimate, interval.low, interval.high, of)


def decimal(value: float | None, digits: int = 3) -> str:
    """A number, or `none`."""
    return "none" if value is None else f"{value:.{digits}f}"


def counts(found: Mapping[str, int]) -> str:
    """`12 revised, 3 skipped`, most first."""
    ranked = sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ranked) or "none"
