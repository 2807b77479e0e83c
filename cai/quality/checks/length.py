"""Whether labels go with length: a reward that likes long answers is easily pleased."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import spearmanr

from cai.quality.check import Check, register
from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.quality.check import Book, Options
    from cai.quality.records import Level, Sample
    from cai.quality.texts import Texts
    from cai.validation.statistics.intervals import Interval

__all__ = ["LengthBias", "difference_correlation"]

_FAR = 0.1
"""How far the whole interval must be from one half for a warning."""

_Z = 1.959964


@register
class LengthBias(Check):
    """Share of pairs in which the chosen answer is longer, and the correlation behind it."""

    name = "length-bias"
    about = "pairs whose chosen answer is the longer one (a bias where far from one half)"
    fix = (
        "Judge with a length model or mix in pairs of equal length; too short is a bias as well "
        "(refusals are short)."
    )
    drops = False

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self._differences = array("d")
        self._prompts = array("Q")
        self._equal = 0
        self._lengths, self._ratings = array("d"), array("d")

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        for answer, rating in zip(sample.answers, sample.ratings, strict=False):
            self._lengths.append(len(answer))
            self._ratings.append(rating)
        if sample.kind != "comparison" or sample.target is None:
            return
        self.seen += 1
        long = len(sample.target)
        mean = sum(map(len, sample.others)) / max(1, len(sample.others))
        self._differences.append(float(np.log((1 + long) / (1 + mean))))
        self._prompts.append(texts.prompt_key)
        self._equal += long == mean
        if long > mean:
            self.hit(sample.index, "chosen is longer")

    def end(self) -> Level | None:
        """See `Check.end`."""
        share = self._share()
        if share is None:
            return "ok"
        biased = share.low > 0.5 + _FAR or share.high < 0.5 - _FAR
        return "warning" if biased else "info"

    def _share(self) -> Interval | None:
        unequal = self.seen - self._equal
        return wilson(len(self.hits), unequal) if unequal else None

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        share = self._share()
        if share is not None:
            yield "Chosen is longer", _interval(share.estimate, share.low, share.high, ".1%")
            yield "Chosen is shorter", f"{1 - share.estimate:.1%}"
        found = difference_correlation(
            np.frombuffer(self._differences), np.frombuffer(self._prompts, np.uint64)
        )
        if found:
            yield "Correlation of label and difference of log length", _interval(*found, "+.3f")
        if len(set(self._ratings)) > 1 and len(set(self._lengths)) > 1:
            rho = float(spearmanr(self._lengths, self._ratings).statistic)
            yield "Rank correlation of rating and length", f"{rho:+.3f}"


def difference_correlation(
    differences: np.ndarray[tuple[int], np.dtype[np.float64]],
    clusters: np.ndarray[tuple[int], np.dtype[np.uint64]],
) -> tuple[float, float, float] | None:
    """Correlation of the label with the difference in length, and its 95 % interval.

    Every pair counts in both orders, so both variables have mean 0 and the Pearson correlation is
    r = mean(d) / √mean(d²) with d = chosen − rejected. The interval is normal, by the influence
    function of r, summed within each cluster.

    Args:
        differences: d of each pair, shape (n,).
        clusters: pairs of one prompt are no independent evidence; shape (n,).

    Returns:
        None with fewer than 2 clusters, or where all answers are equally long.
    """
    n, names = len(differences), np.unique(clusters, return_inverse=True)
    square = float(np.mean(differences**2)) if n else 0.0
    if len(names[0]) < 2 or square == 0.0:
        return None
    mean = float(np.mean(differences))
    r = mean / square**0.5
    influence = (differences - mean) / square**0.5 - mean / (2 * square**1.5) * (
        differences**2 - square
    )
    sums = np.bincount(names[1], influence)
    error = float(np.sqrt(np.sum(sums**2) * len(sums) / (len(sums) - 1))) / n
    return r, max(-1.0, r - _Z * error), min(1.0, r + _Z * error)


def _interval(estimate: float, low: float, high: float, form: str) -> str:
    return f"{estimate:{form}}, 95 % interval {low:{form}} to {high:{form}}"
