"""How far annotators agree: percent, Cohen's and Fleiss' kappa, Krippendorff's alpha.

`ratings` is an integer array (items, annotators) of codes 0 … k − 1, −1 where missing. The measures
are nominal, and None where they are not defined: where no item has two labels, or only one category
was used, so that no disagreement was to be expected.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cai.validation.statistics.gold import label_counts, one_hot
from cai.validation.statistics.intervals import cluster_bootstrap

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from cai.validation.statistics.intervals import Interval

__all__ = [
    "Agreement",
    "agreement",
    "cohen_kappa",
    "fleiss_kappa",
    "krippendorff_alpha",
    "mean_pairwise_kappa",
    "percent_agreement",
]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Every measure with its interval; None where it or its interval is not defined."""

    items: int
    pairable: int
    """Items with at least two labels."""
    annotators: int
    """Annotators with at least one label."""
    percent: Interval | None
    cohen: Interval | None
    """Mean over the pairs of annotators."""
    fleiss: Interval | None
    alpha: Interval | None


def agreement(
    ratings: NDArray[np.integer],
    clusters: Sequence[Hashable],
    *,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Agreement:
    """All measures, with intervals that resample clusters of items.

    Args:
        ratings: (items, annotators), −1 where missing.
        clusters: (items,) such as the prompt of each item. With fewer than two of them every
            measure is None; the functions below still give the bare figures.
        draws: bootstrap samples; they are the same ones for every measure.
        seed: of the draws.
        level: of the intervals.

    Raises:
        ValueError: the ratings are not as described above, or clusters has another length.
    """
    if len(clusters) != len(ratings):
        raise ValueError(f"Each item needs a cluster, got {len(clusters)} for {len(ratings)} items")
    labels = one_hot(ratings)
    counts = labels.sum(axis=1)
    raters = _commonest(counts)
    interval = partial(cluster_bootstrap, clusters=clusters, draws=draws, seed=seed, level=level)
    return Agreement(
        items=len(ratings),
        pairable=int((counts.sum(axis=1) >= 2).sum()),
        annotators=int((ratings >= 0).any(axis=0).sum()),
        percent=interval(lambda rows: _percent(counts[rows])),
        cohen=interval(lambda rows: _mean(_pairwise_kappas(labels[rows]))),
        # The number of raters is that of all items, lest draws differ in what they measure.
        fleiss=interval(lambda rows: _fleiss(counts[rows], raters)) if raters else None,
        alpha=interval(lambda rows: _alpha(counts[rows])),
    )


def percent_agreement(ratings: NDArray[np.integer]) -> float | None:
    """Mean, over items with two labels or more, of the share of pairs of annotators who agree."""
    return _percent(label_counts(ratings))


def cohen_kappa(a: NDArray[np.integer], b: NDArray[np.integer]) -> float | None:
    """κ = (p_o − p_e) / (1 − p_e) of two annotators (Cohen 1960, equation 1).

    Args:
        a: (items,) codes of one annotator, −1 where missing.
        b: (items,) those of the other. Items that lack either label are left out.

    Raises:
        ValueError: a and b differ in length, or hold no such codes.
    """
    if len(a) != len(b):
        raise ValueError(f"Both annotators need the same items, got {len(a)} and {len(b)} labels")
    return mean_pairwise_kappa(np.stack([a, b], axis=1))


def mean_pairwise_kappa(ratings: NDArray[np.integer]) -> float | None:
    """Mean of Cohen's kappa over the pairs of annotators for whom it is defined."""
    return _mean(_pairwise_kappas(one_hot(ratings)))


def fleiss_kappa(ratings: NDArray[np.integer], raters: int | None = None) -> float | None:
    """κ of items that all have the same number of labels (Fleiss 1971).

    Args:
        ratings: (items, annotators), −1 where missing.
        raters: only items with exactly so many labels count, the others are left out. By default
            it is the commonest number that is at least 2; among equals, the largest.

    Raises:
        ValueError: raters is below 2.
    """
    counts = label_counts(ratings)
    raters = _commonest(counts) if raters is None else raters
    if raters is None:
        return None
    if raters < 2:
        raise ValueError(f"Agreement needs at least 2 raters, got {raters}")
    return _fleiss(counts, raters)


def krippendorff_alpha(ratings: NDArray[np.integer]) -> float | None:
    """α = 1 − D_o / D_e over items with two labels or more (Krippendorff 2011, section C)."""
    return _alpha(label_counts(ratings))


def _pairable(counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The counts of items with two labels or more, and their numbers of labels."""
    labels = counts.sum(axis=1)
    return counts[labels >= 2], labels[labels >= 2]


def _percent(counts: NDArray[np.float64]) -> float | None:
    counts, labels = _pairable(counts)
    if not len(counts):
        return None
    return float(((counts * (counts - 1)).sum(axis=1) / (labels * (labels - 1))).mean())


def _alpha(counts: NDArray[np.float64]) -> float | None:
    counts, labels = _pairable(counts)
    used = counts.sum(axis=0)
    n = used.sum()
    # Counts are whole numbers, so "only one category" is an exact 0 here.
    expected = n * (n - 1) - (used * (used - 1)).sum()
    if expected == 0:
        return None
    trace = ((counts * (counts - 1)).sum(axis=1) / (labels - 1)).sum()  # of the coincidences
    return float(1.0 - (n - 1) * (n - trace) / expected)


def _commonest(counts: NDArray[np.float64]) -> int | None:
    labels = _pairable(counts)[1]
    numbers, items = np.unique(labels, return_counts=True)
    return int(numbers[items == items.max()].max()) if len(numbers) else None


def _fleiss(counts: NDArray[np.float64], raters: int) -> float | None:
    counts = counts[counts.sum(axis=1) == raters]
    used = counts.sum(axis=0)
    if used.max(initial=0.0) == used.sum():
        return None
    observed = (counts * (counts - 1)).sum(axis=1).mean() / (raters * (raters - 1))
    chance = ((used / used.sum()) ** 2).sum()
    return float((observed - chance) / (1.0 - chance))


def _pairwise_kappas(labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cohen's kappa of every pair for whom it is defined, from labels (items, annotators, k)."""
    items, annotators, k = labels.shape
    flat = labels.reshape(items, annotators * k)
    # tables[i, :, j, :] is the table of annotators i and j, over the items that both labelled.
    tables = (flat.T @ flat).reshape(annotators, k, annotators, k)
    first, second = np.triu_indices(annotators, 1)
    tables = tables[first, :, second, :]
    n = tables.sum(axis=(1, 2))
    chance = (tables.sum(axis=2) * tables.sum(axis=1)).sum(axis=1)  # n² p_e
    agreed = np.trace(tables, axis1=1, axis2=2)  # n p_o
    defined = chance < n**2
    kappas: NDArray[np.float64] = (n * agreed - chance)[defined] / (n**2 - chance)[defined]
    return kappas


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None
