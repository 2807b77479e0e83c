"""Strengths of several subjects on one scale, in points of Elo, with bootstrap intervals.

Bradley and Terry's model over wins, ties as half a win of either (`cai.formats.bradley_terry`). As
in Constitutional AI (2212.08073, figures 2 and 3) only differences mean something: 400 points are
odds of 10 to 1. The base stands at 0, or without one the mean of all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cai.errors import UsageError
from cai.evaluate.floor import enough
from cai.evaluate.results import figure
from cai.formats.bradley_terry import Comparison, connected, most_likely
from cai.validation.statistics.sums import SumBootstrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cai.evaluate.results import Figure
    from cai.evaluate.winrate.records import Duel
    from cai.validation.statistics.intervals import Interval
    from cai.validation.statistics.sums import OfSums

    Floats = NDArray[np.float64]

__all__ = ["ELO", "strength_figures", "strength_intervals"]

ELO = 400.0 / math.log(10.0)
"""Points for one natural logarithm of odds."""

PRIOR = 1.0
"""Ties that are added between each two subjects that met: half a win for either. A draw in which a
subject won everything would have no maximum. It moves a win rate w over n comparisons to
(n w + ½) / (n + 1), so it fades as 1 / n. Subjects that never met get none."""


def strength_intervals(
    subjects: Sequence[str],
    duels: Sequence[Duel],
    base: str = "",
    *,
    prior: float = PRIOR,
    draws: int = 2000,
) -> dict[str, Interval | None]:
    """The strength of each subject in points of Elo, relative to the base or to the mean of all.

    Intervals are from a bootstrap over groups of prompts; None with fewer than two groups. That of
    the base has no width.

    Args:
        subjects: all that are to be on the scale.
        duels: of them with each other; those without a verdict do not count.
        base: stands at 0; the mean of all does when empty.
        prior: ties added between each two that met.
        draws: of the bootstrap.

    Raises:
        UsageError: the subjects do not hang together through comparisons; a part of them has won
            every comparison with the rest, so that there is no finite strength; all are ties.
    """
    place = {name: i for i, name in enumerate(subjects)}
    count = len(place)
    judged = [duel for duel in duels if duel.credit is not None]
    if judged and all(duel.credit == 0.5 for duel in judged):
        raise UsageError(
            f"All {len(judged):,} comparisons with a verdict are ties, which says nothing of how "
            "far apart the subjects may be. Take more prompts, or a smaller judge.tie_band."
        )
    columns = _wins(judged, place)
    total = columns.sum(axis=0)
    met = total + total.T > 0.0
    _require_strengths(subjects, total)

    def strength(of: int) -> OfSums:
        def statistic(sums: Floats) -> Floats:
            s = ELO * most_likely(sums.reshape(-1, count, count) + 0.5 * prior * met)
            found: Floats = s[:, of] - (s[:, place[base]] if base else 0.0)
            return found

        return statistic

    resampled = SumBootstrap([duel.group for duel in judged], draws=draws)
    flat = columns.reshape(len(judged), -1)
    return {name: resampled.interval(flat, strength(i)) for name, i in place.items()}


def strength_figures(
    subjects: Sequence[str],
    duels: Sequence[Duel],
    base: str = "",
    *,
    group: str = "all",
    draws: int = 2000,
) -> Iterator[Figure]:
    """The figure `Elo` of each subject; where there is none, it says why."""
    against = base or "mean of all"
    try:
        found = strength_intervals(subjects, duels, base, draws=draws)
    except UsageError as error:
        for name in subjects:
            yield figure(
                "Elo", name, None, unit="score", group=group, against=against, unmeasured=str(error)
            )
        return
    for name, interval in found.items():
        yield figure(
            *("Elo", name, enough(interval)),
            unit="score",
            group=group,
            against=against,
            better="higher",
        )


def _wins(duels: Sequence[Duel], place: Mapping[str, int]) -> Floats:
    """(duels, subjects, subjects): what each duel adds to the wins of a row over a column."""
    columns = np.zeros((len(duels), len(place), len(place)))
    for row, duel in enumerate(duels):
        i, j, won = place[duel.first], place[duel.second], duel.credit or 0.0
        columns[row, i, j], columns[row, j, i] = won, 1.0 - won
    return columns


def _require_strengths(subjects: Sequence[str], total: Floats) -> None:
    met = total + total.T > 0.0
    groups = connected([Comparison(int(i), int(j), 0.5) for i, j in np.argwhere(met)])
    alone = set(range(len(subjects))) - {i for group in groups for i in group}
    parts = [[subjects[i] for i in group] for group in [*groups, *([i] for i in sorted(alone))]]
    if len(parts) > 1:
        named = "; ".join(", ".join(part) for part in parts)
        raise UsageError(
            f"The subjects cannot be put on one scale, because no comparison with a verdict joins "
            f"these groups: {named}. Compare all with one base, or all with all (--all-pairs)."
        )
    if np.isnan(most_likely(total[None])).any():
        raise UsageError(_one_sided(subjects, total))


def _one_sided(subjects: Sequence[str], total: Floats) -> str:
    wins = "; ".join(
        f"{subjects[i]} has won {total[i, j]:g} of {total[i, j] + total[j, i]:g} against "
        f"{subjects[j]}"
        for i, j in np.argwhere((total > 0.0) & (total.T == 0.0))
    )
    return (
        f"No finite strength: {wins}, and nothing balances that. Win rates say all there is; take "
        "more prompts, on which each wins at times."
    )
