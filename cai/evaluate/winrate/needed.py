"""How many comparisons give a win rate an interval of a wanted width."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from cai.evaluate.results import Figure

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from cai.evaluate.winrate.records import Duel

__all__ = ["comparisons_needed", "needed_figure"]


def comparisons_needed(
    credits: Sequence[float], groups: Sequence[Hashable], half_width: float, level: float = 0.95
) -> int:
    """N = z² · v · d / w², for a win rate like the one that was found.

    v is the variance of single credits. Ties make it smaller than that of a share, w (1 − w): half
    a win is closer to the mean than a win or a loss. One win and one loss are added to it, so that
    a subject that won everything is not thought to be certain. d is the design effect (Kish 1965):
    the variance of the mean over groups of prompts over the one that the same credits would have if
    all were independent; groups that happen to vary less count as 1.

    Args:
        credits: 1, ½ or 0 for each comparison with a verdict.
        groups: group of its prompt.
        half_width: w, of the interval, above 0 and below ½.
        level: of the interval.

    Raises:
        ValueError: half_width is out of its range, or there is no comparison.
    """
    if not 0 < half_width < 0.5 or not credits:
        raise ValueError(
            f"half_width must lie between 0 and 0.5 and there must be a comparison, got "
            f"{half_width} and {len(credits)} comparisons"
        )
    given = np.asarray(credits, dtype=np.float64)
    padded = np.append(given, [0.0, 1.0])
    z = NormalDist().inv_cdf(0.5 + level / 2)
    n = z**2 * float(padded.var()) * _design_effect(given, groups) / half_width**2
    return math.ceil(n - 1e-9)


def _design_effect(credits: NDArray[np.float64], groups: Sequence[Hashable]) -> float:
    places = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    gaps = credits - credits.mean()
    alone = float((gaps**2).sum())
    if len(places) < 2 or alone == 0.0:
        return 1.0
    summed = np.bincount([places[group] for group in groups], gaps)
    count = len(places)
    n = len(credits)
    together = float((summed**2).sum()) * count / (count - 1)
    return max(1.0, together / (alone * n / (n - 1)))


def needed_figure(duels: Sequence[Duel], half_width: float) -> Figure:
    """The comparisons that the win rate of two subjects needs, `n` of which there are."""
    judged = [(duel.credit, duel.group) for duel in duels if duel.credit is not None]
    value, why = None, "no comparison has a verdict"
    if judged:
        credits, groups = zip(*judged, strict=True)
        value, why = float(comparisons_needed(credits, groups, half_width)), ""
    return Figure(
        "comparisons needed",
        duels[0].first,
        value,
        n=len(judged),
        group=f"within {100 * half_width:g} points",
        against=duels[0].second,
        unit="count",
        unmeasured=why,
    )
