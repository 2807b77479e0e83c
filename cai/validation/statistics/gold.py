"""What several annotators say: counts of labels, majority, and the model of Dawid and Skene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DawidSkene", "dawid_skene", "label_counts", "majority", "one_hot"]


@dataclass(frozen=True, slots=True, eq=False)
class DawidSkene:
    """What the annotators' labels say of the true ones, and of the annotators."""

    posterior: NDArray[np.float64]
    """(items, k) probability of each true label. Items without a label have the prior."""
    confusion: NDArray[np.float64]
    """(annotators, k, k) probability that an annotator says column l where row t is true."""
    prior: NDArray[np.float64]
    """(k,) share of each true label."""
    iterations: int
    """Steps taken; the limit itself where the posterior had not settled."""


def one_hot(ratings: NDArray[np.integer], k: int | None = None) -> NDArray[np.float64]:
    """Ratings (items, annotators) as 0 and 1, (items, annotators, k); all 0 where missing.

    Args:
        ratings: codes, −1 where missing.
        k: number of categories; by default the largest code plus 1.

    Raises:
        ValueError: ratings is no integer array of two axes, or has codes outside −1 … k − 1.
    """
    if ratings.ndim != 2 or not np.issubdtype(ratings.dtype, np.integer):
        got = f"{ratings.dtype} of shape {ratings.shape}"
        raise ValueError(f"Ratings must be integers of shape (items, annotators), got {got}")
    least, most = int(ratings.min(initial=-1)), int(ratings.max(initial=-1))
    k = max(most + 1, 1) if k is None else k
    if least < -1 or most >= k:
        raise ValueError(f"Codes must lie from -1 (missing) to {k - 1}, got {least} to {most}")
    labels: NDArray[np.float64] = (ratings[:, :, None] == np.arange(k)).astype(np.float64)
    return labels


def label_counts(ratings: NDArray[np.integer]) -> NDArray[np.float64]:
    """How many annotators gave each item each label, (items, k)."""
    counts: NDArray[np.float64] = one_hot(ratings).sum(axis=1)
    return counts


def majority(ratings: NDArray[np.integer]) -> NDArray[np.int64]:
    """The commonest label of each item, (items,); −1 on a draw or where there is no label.

    Args:
        ratings: (items, annotators) codes from 0, −1 where missing.

    Raises:
        ValueError: ratings is no such array.
    """
    counts = label_counts(ratings)
    most = counts.max(axis=1)
    single = ((counts == most[:, None]).sum(axis=1) == 1) & (most > 0)
    return np.where(single, counts.argmax(axis=1), -1)


def dawid_skene(
    ratings: NDArray[np.integer],
    k: int,
    *,
    iterations: int = 200,
    tolerance: float = 1e-7,
    smoothing: float = 0.01,
) -> DawidSkene:
    """EM for true labels and annotators' confusions (Dawid & Skene 1979, equations 2.3 to 2.5).

    It starts from the shares of votes, so that true label t is the one most often called t. An
    annotator who is worse than chance then counts against what they say. It needs annotators who
    are mostly right: otherwise true labels may change places.

    Args:
        ratings: (items, annotators) codes from 0 to k − 1, −1 where missing.
        k: number of categories.
        iterations: at most so many steps.
        tolerance: stop when no probability of the posterior moves further than this.
        smoothing: labels added to each cell of each confusion and of the prior. Above 0, so that
            an annotator who never erred may do so yet, and an annotator without labels is uniform.

    Raises:
        ValueError: ratings or a setting is not as described.
    """
    if smoothing <= 0 or iterations < 1:
        got = f"smoothing = {smoothing}, iterations = {iterations}"
        raise ValueError(f"smoothing must be above 0 and iterations at least 1, got {got}")
    labels = one_hot(ratings, k)
    annotators = labels.shape[1]
    votes = labels.sum(axis=1)
    labelled = votes.sum(axis=1) > 0
    flat = labels[labelled].reshape(-1, annotators * k)
    posterior = votes[labelled] / votes[labelled].sum(axis=1, keepdims=True)
    step, moved = 0, np.inf
    while step < iterations and moved > tolerance:
        step += 1
        prior, confusion = _estimate(flat, posterior, annotators, smoothing)
        previous, posterior = posterior, _posterior(flat, prior, confusion)
        moved = np.abs(posterior - previous).max(initial=0.0)
    every = np.tile(prior, (len(labels), 1))
    every[labelled] = posterior
    return DawidSkene(every, confusion, prior, step)


def _estimate(
    flat: NDArray[np.float64], posterior: NDArray[np.float64], annotators: int, smoothing: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The M step: prior (k,) and confusions (annotators, true, said)."""
    k = posterior.shape[1]
    prior = posterior.sum(axis=0) + smoothing
    said = (flat.T @ posterior).reshape(annotators, k, k).transpose(0, 2, 1) + smoothing
    return prior / prior.sum(), said / said.sum(axis=2, keepdims=True)


def _posterior(
    flat: NDArray[np.float64], prior: NDArray[np.float64], confusion: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The E step, in logarithms: a product over many annotators would underflow."""
    logs = np.log(confusion).transpose(0, 2, 1).reshape(-1, len(prior))
    score = flat @ logs + np.log(prior)
    score -= score.max(axis=1, keepdims=True)
    weight = np.exp(score)
    posterior: NDArray[np.float64] = weight / weight.sum(axis=1, keepdims=True)
    return posterior
