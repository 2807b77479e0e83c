"""Rates with their intervals, and differences between subjects.

Intervals are bootstraps over cases: answers to one case, and to its twin, are drawn together,
because they succeed and fail together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cai.evaluate.floor import TooFew, enough
from cai.validation.statistics.intervals import wilson
from cai.validation.statistics.sums import SumBootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cai.evaluate.refusal.rates import Metric, Table
    from cai.validation.statistics.intervals import Interval

    Columns = NDArray[np.float64]

__all__ = ["cluster_names", "difference", "measure"]


def cluster_names(couples: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The cluster of each case that has a twin: the id of the one that is to be refused."""
    return {one: harmful for harmful, harmless in couples for one in (harmful, harmless)}


def measure(table: Table, metric: Metric, *, draws: int = 2000) -> Interval | TooFew | None:
    """A rate with its interval.

    Returns:
        None where it is not defined; `TooFew` with fewer clusters than an interval takes.
    """
    columns = metric.columns(table)
    found = enough(SumBootstrap(table.cluster.tolist(), draws=draws).interval(columns, _quotient))
    if found is None or isinstance(found, TooFew):
        return found
    if found.low == found.high:
        # No draw differs from another, as where all is right; that many trials can say so much.
        known = wilson(min(max(found.estimate, 0.0), 1.0) * found.n, found.n)
        return replace(found, low=known.low, high=known.high)
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def difference(
    after: Table, before: Table, metric: Metric, *, draws: int = 2000
) -> Interval | TooFew | None:
    """How much higher a rate is of one subject than of another, on what both were judged on.

    The answers to a case are paired: each draw takes them of both subjects, or of neither.

    Returns:
        None where a rate is not defined; `TooFew` with fewer clusters than an interval takes.
    """
    places = {key: i for i, key in enumerate(before.keys())}
    shared = [(i, places[key]) for i, key in enumerate(after.keys()) if key in places]
    if not shared:
        return None
    ours, theirs = (np.array(one, dtype=np.intp) for one in zip(*shared, strict=True))
    after, before = after.at(ours), before.at(theirs)
    read, planted = after.read & before.read, after.planted & before.planted
    after = replace(after, read=read, planted=planted)
    before = replace(before, read=read, planted=planted)
    columns = np.column_stack([metric.columns(after), metric.columns(before)])

    def gap(sums: Columns) -> Columns:
        return _quotient(sums[:, :2]) - _quotient(sums[:, 2:])

    found = enough(SumBootstrap(after.cluster.tolist(), draws=draws).interval(columns, gap))
    if found is None or isinstance(found, TooFew):
        return found
    if found.low < found.high:
        return replace(found, low=max(found.low, -1.0), high=min(found.high, 1.0))
    # The same in every draw: both right, or both wrong, throughout. The rule of three and its like.
    known = wilson(found.n, found.n)
    half = 1.0 - known.low
    return replace(
        found, low=max(found.estimate - half, -1.0), high=min(found.estimate + half, 1.0)
    )


def _quotient(sums: Columns) -> Columns:
    top, bottom = sums[:, 0], sums[:, 1]
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)
