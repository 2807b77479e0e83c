"""How many labels each stratum gets, and how many independent ones they are worth."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from heapq import heapify, heapreplace
from typing import TYPE_CHECKING

from cai.validation.sampling.size import cluster_effect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.validation.sampling.frame import Candidate

__all__ = ["Allocation", "Layer", "turns"]

_LEAST = 2
"""Fewest labels of a stratum, if it has so many pairs: with one, its variance cannot be told."""

_SUREST = 0.9
"""The judge is not believed to be right more often than this. Judges are often too sure of
themselves, and this keeps the rates of any two strata within 0.5/0.3 = 5/3 of each other: where the
guess is worthless, that costs at most a factor (1 + 5/3)² / (4 · 5/3) = 1.07 of the labels."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A stratum and the pairs in it."""

    name: str
    members: tuple[Candidate, ...]

    @property
    def pairs(self) -> int:
        """N_h."""
        return len(self.members)

    @property
    def decided(self) -> int:
        """Pairs on which the judge named a winner."""
        return sum(member.decided for member in self.members)

    @property
    def spread(self) -> float:
        """S_h = √(c (1 − c)): the guessed standard deviation of "the AI label is right".

        c is the mean probability of the preferred answer, at most 0.9. A tie is neither right nor
        wrong, but doubtful all the same: people's win rates and κ vary most there. Pairs without
        a verdict have no AI label, so a stratum of them alone gets the lowest rate.
        """
        sure = [member.sure for member in self.members if member.sure is not None]
        mean = min(math.fsum(sure) / len(sure), _SUREST) if sure else _SUREST
        return math.sqrt(mean * (1 - mean))


class Allocation:
    """All sample sizes of one set of strata. A larger one gives no stratum fewer labels.

    n_h ∝ N_h S_h makes the variance Σ_h N_h² S_h² / n_h of a stratified total as small as a sum of
    n labels can (Neyman 1934). In whole numbers, with at least 2 and at most N_h labels per
    stratum, the optimum is reached by handing out one label after the other, each to the stratum
    with the largest N_h S_h / √(n_h (n_h + 1)) (Wright 2012, 2017).

    The guesses S_h only steer how exact estimates get. Whatever they are, each pair of a stratum is
    drawn with the known probability n_h / N_h > 0, and weighting labels by its inverse gives
    unbiased totals (Horvitz and Thompson 1952).
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._pairs = [layer.pairs for layer in layers]
        self._decided = [layer.decided for layer in layers]
        self._start = [min(_LEAST, pairs) for pairs in self._pairs]
        self._turns = list(turns(self._pairs, [layer.spread for layer in layers], self._start))
        groups = Counter(member.group_id for layer in layers for member in layer.members)
        self._groups = list(groups.values())

    @property
    def least(self) -> int:
        """The smallest sample."""
        return sum(self._start)

    @property
    def most(self) -> int:
        """All pairs."""
        return sum(self._pairs)

    def drawn(self, n: int) -> list[int]:
        """n_h of each stratum for a sample of n, from `least` to `most`."""
        more = Counter(self._turns[: n - self.least])
        return [start + more[i] for i, start in enumerate(self._start)]

    def worth(self, n: int) -> float:
        """Independent, equally weighted labels of decided pairs that a sample of n is worth.

        With N′_h decided pairs in stratum h, their accuracy has the variance
        σ² Σ_h N_h N′_h / n_h / N′² if the guesses S_h are worthless, so that the sample is worth
        N′² / Σ_h (N_h N′_h / n_h) labels: Kish's n / (1 + cv²), and less by what clusters cost.
        """
        drawn, decided = self.drawn(n), sum(self._decided)
        cost = sum(
            pairs * own / labels
            for pairs, own, labels in zip(self._pairs, self._decided, drawn, strict=True)
        )
        return decided**2 / cost / cluster_effect(self._groups, n / self.most)

    def size_for(self, worth: float) -> int:
        """The smallest sample that is worth so many labels, or all pairs where none is."""
        sizes = range(self.least, self.most)
        return self.least + bisect_left(sizes, worth, key=self.worth)


def turns(pairs: Sequence[int], spread: Sequence[float], drawn: Sequence[int]) -> Iterator[int]:
    """Yield the stratum that gets the next label, until all pairs are drawn.

    Args:
        pairs: N_h, of each stratum.
        spread: S_h.
        drawn: labels that each has to begin with, at least 1.
    """

    def claim(i: int, n: int) -> tuple[float, int, int]:
        return (-pairs[i] * spread[i] / math.sqrt(n * (n + 1)), i, n)

    # A stratum that is used up stays in the heap, without a claim.
    used_up = (math.inf, -1, 0)
    heap = [claim(i, n) if n < pairs[i] else used_up for i, n in enumerate(drawn)]
    heapify(heap)
    while heap and heap[0][1] >= 0:
        _, i, n = heap[0]
        yield i
        heapreplace(heap, claim(i, n + 1) if n + 1 < pairs[i] else used_up)
