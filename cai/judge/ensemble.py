"""Several probabilities of one pair made one: over principles, and over judges.

All rules are symmetric: with every p turned into 1 − p the result is turned, too, so a pair and its
swapped twin get the same verdict.
"""

from __future__ import annotations

import math
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

from cai.judge.aggregate import hard_label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from cai.constitution.models import Aggregate
    from cai.records import PrincipleVerdict, VerdictOutcome

__all__ = ["by_priority", "commonest", "outcome_of", "pool", "pool_judges", "worst_case"]


def pool(
    ps: Sequence[float],
    weights: Sequence[float],
    how: Aggregate,
    *,
    levels: Sequence[int] = (),
    tie_band: float = 0.0,
) -> float:
    """One probability from those under several principles (`judge.aggregate`).

    Args:
        ps: at least one.
        weights: of the principles; they count for `weighted` alone.
        how: `mean`, `median` (of an even number the mean of the middle two), `weighted`:
            Σ w_i p_i / Σ w_i, `worst`, see `worst_case`, or `priority`, see `by_priority`.
        levels: place of each principle in the constitution's priorities, 0 for the highest;
            needed for `priority`.
        tie_band: for `priority`: means within ½ ± this decide nothing.
    """
    if how == "priority":
        return by_priority(ps, levels, tie_band)
    if how == "median":
        return median(ps)
    if how == "weighted":
        total = math.fsum(weights)
        # Rounding must not leave the range of the probabilities.
        mean = math.fsum(w * p for w, p in zip(weights, ps, strict=True)) / total
        return min(max(mean, min(ps)), max(ps))
    return worst_case(ps) if how == "worst" else sum(ps) / len(ps)


def worst_case(ps: Sequence[float]) -> float:
    """The least margin by which all principles name the same winner, as a probability.

    With margins m_i = p_i − ½ it is ½ + max(0, min_i m_i) + min(0, max_i m_i): the p that is
    closest to ½ where all lie on one side of it, and ½ where two principles contradict each other.
    So no principle stands against a winner, however much the others are for it.
    """
    if min(ps) > 0.5:
        return min(ps)
    return min(0.5, max(ps))


def by_priority(ps: Sequence[float], levels: Sequence[int], tie_band: float) -> float:
    """The mean of the highest level that decides; the mean of all where none does.

    A lexicographic order of goods: what is lower in rank counts only between answers that the
    higher ranks leave equal, which here means a mean within ½ ± `tie_band`.
    """
    for level in sorted(set(levels)):
        own = [p for p, at in zip(ps, levels, strict=True) if at == level]
        mean = sum(own) / len(own)
        if hard_label(mean, tie_band) != "tie":
            return mean
    return sum(ps) / len(ps)


def pool_judges(
    verdicts: Sequence[PrincipleVerdict], how: Literal["mean", "majority"]
) -> float | None:
    """One probability from the judges of a panel under the same principles (`judge.panel`).

    PoLL (Verga et al. 2024, 2404.18796) averages scores and lets labels vote. `majority` gives
    each judge one vote for its label; a tie is half a vote for either answer, and p is the share of
    the votes. Judges without a verdict have no vote.

    Returns:
        None when no judge gave a verdict.
    """
    given = [v for v in verdicts if v.p is not None]
    if not given:
        return None
    if how == "majority":
        votes = {"first": 1.0, "tie": 0.5}
        return sum(votes.get(v.outcome, 0.0) for v in given) / len(given)
    return sum(v.p for v in given if v.p is not None) / len(given)


def commonest(outcomes: Sequence[VerdictOutcome]) -> VerdictOutcome:
    """The commonest outcome, the earliest among equals."""
    return Counter(outcomes).most_common(1)[0][0]


def outcome_of(
    p: float | None, silent: Sequence[PrincipleVerdict], tie_band: float
) -> VerdictOutcome:
    """The label of p, or the commonest outcome of those that were silent where there is no p."""
    return commonest([v.outcome for v in silent]) if p is None else hard_label(p, tie_band)
