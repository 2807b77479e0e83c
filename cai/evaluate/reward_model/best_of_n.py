"""What the best of n answers is worth when a reward model chooses it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["expected_best", "kl_of_best"]


def expected_best(scores: Sequence[float], gold: Sequence[float]) -> NDArray[np.float64]:
    """The expected gold score of the answer that the reward model prefers among n of k, n = 1 … k.

    Over all subsets of n of the k answers, drawn without replacement. The one with the i-th lowest
    score is the best of C(i − 1, n − 1) of the C(k, n) subsets, so with gold scores g_(i) in the
    order of the reward model's scores,

        E_n = Σ_i g_(i) C(i − 1, n − 1) / C(k, n),

    the unbiased estimator of Hilton and Gao 2022 (Measuring Goodhart's law), with which Nakano et
    al. 2021 (WebGPT, arXiv:2112.09332) draw best-of-n curves. Equal scores are told apart by
    chance: each of them counts with the mean gold score of all of them.

    Args:
        scores: (k,) of the reward model.
        gold: (k,) of the same answers.

    Returns:
        (k,) E_1, the mean, to E_k.

    Raises:
        ValueError: there is no answer, or the lengths differ.
    """
    if not scores or len(scores) != len(gold):
        raise ValueError(
            f"Each score needs a gold score, and there must be one; got {len(scores)} and "
            f"{len(gold)}"
        )
    given = np.asarray(scores, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    values, places = np.unique(given[order], return_inverse=True)
    sorted_gold = np.asarray(gold, dtype=np.float64)[order]
    sums = np.bincount(places, sorted_gold, len(values))
    by_rank = (sums / np.bincount(places, minlength=len(values)))[places]
    k = len(given)
    ranks = np.arange(k - 1, 0, -1)
    curve = np.empty(k)
    for n in range(1, k + 1):
        # From the highest rank down: C(k − 1, n − 1) / C(k, n) = n / k, and then by quotients,
        # because the numbers themselves are too large.
        quotients = np.maximum(ranks - n + 1, 0) / ranks
        weights = n / k * np.concatenate([[1.0], np.cumprod(quotients)])
        curve[n - 1] = weights @ by_rank[::-1]
    return curve


def kl_of_best(n: int) -> float:
    """At most so many nats the best of n is away from one sample: log n − (n − 1) / n.

    Beirami et al. 2024 (arXiv:2401.01879) prove that it is an upper bound.
    """
    return math.log(n) - (n - 1) / n
