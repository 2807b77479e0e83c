"""How many labels are enough: for an interval of a given width, or for a test of given power."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtr, bdtrik

from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.validation.records import Item

__all__ = [
    "INTRACLASS",
    "cluster_effect",
    "design_effect",
    "expected_half_width",
    "labels_for_power",
    "labels_for_width",
]

INTRACLASS = 0.1
"""ρ, how alike the judge's errors on pairs of one prompt group are: a guess, made before any label.
It matters only where several pairs of a group are drawn; estimates measure it and do not use it."""

_MOST = 10_000_000
"""More labels than anyone can ask for."""


def labels_for_width(
    half_width: float, expected: float, *, design_effect: float = 1.0, level: float = 0.95
) -> int:
    """The fewest labels whose Wilson interval (1927) is no wider than ± half_width.

    Its width falls with every label, so the first number that is enough is found by bisection.

    There is no finite-population correction: what is said of the AI labels is meant for pairs like
    these, of which the held-out pairs are a sample themselves. So the figure may exceed the number
    of pairs that there are; `make_plan` then takes all of them.

    Args:
        half_width: in (0, ½).
        expected: share of AI labels that are right, in [0, 1].
        design_effect: how many labels of this design are worth one of a simple random sample.
        level: of the interval.

    Raises:
        ValueError: half_width, expected or design_effect are out of their range, or more than ten
            million labels would be needed.
    """
    if not 0 < half_width < 0.5 or not 0 <= expected <= 1:
        raise ValueError(
            f"half_width must lie between 0 and 0.5 and expected from 0 to 1, got {half_width} "
            f"and {expected}"
        )

    def narrow(n: int) -> bool:
        interval = wilson(expected * n, n, level)
        return interval.high - interval.low <= 2 * half_width

    n = 1 + bisect_left(range(1, _MOST), True, key=narrow)
    if n == _MOST:
        raise ValueError(f"a half width of {half_width} needs more than {_MOST:,} labels")
    return _inflated(n, design_effect)


def labels_for_power(
    null: float,
    alternative: float,
    *,
    power: float = 0.8,
    level: float = 0.95,
    design_effect: float = 1.0,
) -> int:
    """The fewest labels that tell an accuracy of `alternative` from one of `null` or less.

    The exact binomial test rejects with more than k right labels, where k is the least number
    with P(X ≤ k | null) ≥ 1 − α. It is one-sided at α = (1 − level)/2, because what is asked is
    whether the lower end of a two-sided interval lies above `null`. Its power rises in a saw-tooth
    with n; the answer is the number from which on no larger one falls below `power` again, within
    a window around the normal approximation
    n ≈ ((z_α √(p₀ q₀) + z_β √(p₁ q₁)) / (p₁ − p₀))² (Fleiss, Levin, Paik 2003, chapter 2).

    A judge that agrees with people at κ, both sides being equally common, has an accuracy of
    (1 + κ)/2: a floor of κ = 0.4 is a `null` of 0.7.

    Args:
        null: accuracy that is not good enough, in (0, 1).
        alternative: accuracy to be found out, above null, at most 1.
        power: probability of finding it out, in [0.5, 1).
        level: of the interval.
        design_effect: how many labels of this design are worth one of a simple random sample.

    Raises:
        ValueError: an argument is out of its range, or null and alternative are so close that more
            than ten million labels would be needed.
    """
    if not 0 < null < alternative <= 1 or not 0.5 <= power < 1 or not 0 < level < 1:
        raise ValueError(
            "need 0 < null < alternative <= 1, a power from 0.5 to below 1 and a level between 0 "
            f"and 1, got null {null}, alternative {alternative}, power {power}, level {level}"
        )
    normal, gap, alpha = NormalDist(), alternative - null, (1 - level) / 2
    spread = -normal.inv_cdf(alpha) * math.sqrt(null * (1 - null))
    spread += normal.inv_cdf(power) * math.sqrt(alternative * (1 - alternative))
    middle = (spread / gap) ** 2
    if middle > _MOST:
        raise ValueError(f"telling {alternative} from {null} needs more than {_MOST:,} labels")
    around = 40 + 4 / gap + 4 * math.sqrt(middle)
    n = np.arange(max(1, int(middle - around)), int(middle + around) + 1, dtype=np.float64)
    critical = np.ceil(bdtrik(1 - alpha, n, null) - 1e-9).clip(0, n)
    weak = np.flatnonzero(1 - bdtr(critical, n.astype(np.int64), alternative) < power)
    return _inflated(int(n[weak[-1]]) + 1 if len(weak) else int(n[0]), design_effect)


def design_effect(
    weights: Sequence[float], cluster_sizes: Sequence[int], *, intraclass: float = INTRACLASS
) -> float:
    """Variance of a weighted, clustered mean over that of as many independent equal labels.

    (1 + cv²) · (1 + (m − 1) ρ) (Kish 1965): cv is the coefficient of variation of the weights;
    1 + cv² is what unequal weights cost where they have nothing to do with what is measured. m is
    the size of the cluster that a label is in, averaged over labels: Σ m² / Σ m.

    Args:
        weights: of each label, above 0; their scale does not matter.
        cluster_sizes: drawn labels in each cluster.
        intraclass: ρ.

    Raises:
        ValueError: there are no weights or no clusters, or one of them is not above 0.
    """
    if not weights or min(weights) <= 0 or not cluster_sizes or min(cluster_sizes) <= 0:
        raise ValueError("a design effect needs weights and cluster sizes, all above 0")
    unequal = len(weights) * math.fsum(w * w for w in weights) / math.fsum(weights) ** 2
    return unequal * cluster_effect(cluster_sizes, intraclass=intraclass)


def cluster_effect(
    sizes: Sequence[int], share: float = 1.0, *, intraclass: float = INTRACLASS
) -> float:
    """The second factor of `design_effect` where only a share of each cluster is drawn.

    Next to a drawn label, each of the m − 1 others of its cluster is drawn with probability
    `share`.
    """
    mean = sum(m * m for m in sizes) / sum(sizes)
    return 1 + share * (mean - 1) * intraclass


def expected_half_width(
    items: Sequence[Item], expected: float, *, level: float = 0.95
) -> float | None:
    """Half the width of the label accuracy's interval when all items have their label.

    It is over the pairs on which the judge named a winner: Wilson's interval with as many labels as
    those drawn are worth after `design_effect`. The judge's
    probabilities can only make it narrower; by how much depends on how well they are calibrated,
    which no one knows before the labels.

    Returns:
        None where no verdict names a winner.
    """
    firsts = [item for item in items if not item.repeat]
    decided = [item for item in firsts if item.pair.verdict and item.pair.verdict.decided]
    if not decided:
        return None
    groups = Counter(item.group_id for item in decided)
    effect = design_effect([1 / item.inclusion for item in decided], list(groups.values()))
    n = max(1, int(len(decided) / effect + 1e-9))
    interval = wilson(expected * n, n, level)
    return (interval.high - interval.low) / 2


def _inflated(n: int, design_effect: float) -> int:
    if design_effect <= 0:
        raise ValueError(f"a design effect lies above 0, got {design_effect}")
    return math.ceil(n * design_effect - 1e-9)
