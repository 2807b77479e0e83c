"""Two principles side by side: whether they say the same, or contradict each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.stats import binomtest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cai.validation.bias.leave_out import LeaveOut
    from cai.validation.statistics.intervals import Interval
    from cai.validation.statistics.sums import SumBootstrap

__all__ = ["ALIKE", "Couple", "Relation", "couples"]

ALIKE = 0.85
"""Principles are redundant where they surely name the same winner in at least so many pairs."""
_SURE = 0.05
"""Most chance of calling any two principles a conflict where none are."""

Relation = Literal["", "redundant", "leaning", "conflict"]


@dataclass(frozen=True, slots=True)
class Couple:
    """Two principles on the pairs that were judged under both.

    Args:
        names: ids of both, sorted.
        n: pairs with a probability under both.
        decided: those of them on which both name a winner.
        same: share of the decided on which it is the same winner; None where there are none. The
            interval is there where this is close to what makes a relation.
        kappa: Cohen's κ of the winners, with an interval likewise; None where one of them names
            the same place in all decided pairs.
        correlation: of the probabilities, over both orientations of each pair: Σab / √(Σa² Σb²)
            of the distances from ½. It does not depend on which answer is called the first.
        chance: probability of naming different winners in so many prompt groups if they did so half
            of the time, adjusted for all couples that were compared (Holm 1979); None where the
            winners are the same in half of the pairs or more, or the decided pairs are too few.
        relation: `redundant`: the interval of `same` lies above `ALIKE`, and that of κ above 0.
            `leaning`: the first alone; both nearly always favour the same side, such as the
            revision, which alone makes them agree. `conflict`: the interval of `same` lies below
            one half, and `chance` below 0.05. Empty: none of them, or fewer pairs than needed.
    """

    names: tuple[str, str]
    n: int
    decided: int
    same: float | None
    kappa: float | None
    correlation: float | None
    same_interval: Interval | None = None
    kappa_interval: Interval | None = None
    chance: float | None = None
    relation: Relation = ""

    @property
    def perhaps(self) -> bool:
        """Whether more pairs may show a relation: it is near, and not sure."""
        found = self.same_interval
        if self.relation or found is None:
            return False
        return found.estimate >= ALIKE or found.high < 0.5


def couples(table: LeaveOut, resampled: SumBootstrap, least: int) -> tuple[Couple, ...]:
    """All couples of principles that judged a pair in common.

    Args:
        table: of all pairs.
        resampled: over its prompt groups.
        least: decided pairs that a relation needs.
    """
    cells, places = _Cells(table), combinations(range(len(table.names)), 2)
    found = {(a, b): cells.couple(a, b) for a, b in places if cells.both[a, b]}
    enough = [place for place, one in found.items() if one.decided >= least]
    chances = _holm([_chance(table, *place) if _opposed(found[place]) else 1.0 for place in enough])
    for place, chance in zip(enough, chances, strict=True):
        one = found[place]
        if _opposed(one):
            one = replace(one, chance=chance)
        # Elsewhere no interval can lie where a relation begins, and there are many couples.
        if _opposed(one) or (one.same or 0.0) >= ALIKE:
            one = _related(one, table, resampled, place)
        found[place] = one
    return tuple(found.values())


def _opposed(couple: Couple) -> bool:
    return couple.same is not None and couple.same < 0.5


class _Cells:
    """For any two principles: pairs by both winners, and products of both distances from ½."""

    def __init__(self, table: LeaveOut) -> None:
        first = (table.labels == 1.0).astype(np.float64)
        second = (table.labels == -1.0).astype(np.float64)
        given = (~np.isnan(table.p)).astype(np.float64)
        margins = np.where(np.isnan(table.p), 0.0, table.p - 0.5)
        self._names = table.names
        self.both = (given.T @ given).astype(np.int64)
        self._products = margins.T @ margins
        self._squares = (margins**2).T @ given
        self._cells = np.stack(
            [first.T @ first, first.T @ second, second.T @ first, second.T @ second], axis=-1
        )

    def couple(self, a: int, b: int) -> Couple:
        """The figures that need no draws."""
        counts = self._cells[a, b]
        decided, kappa = int(counts.sum()), float(_kappa(counts[None])[0])
        return Couple(
            names=(self._names[a], self._names[b]),
            n=int(self.both[a, b]),
            decided=decided,
            same=float(counts[0] + counts[3]) / decided if decided else None,
            kappa=None if np.isnan(kappa) else kappa,
            correlation=self._correlation(a, b),
        )

    def _correlation(self, a: int, b: int) -> float | None:
        """None where one of them is ½ in all pairs."""
        below = float(self._squares[a, b] * self._squares[b, a]) ** 0.5
        # Rounding must not leave the range.
        return min(1.0, max(-1.0, float(self._products[a, b]) / below)) if below else None


def _related(
    couple: Couple, table: LeaveOut, resampled: SumBootstrap, places: tuple[int, int]
) -> Couple:
    """The couple with its intervals, and what they make of it."""
    first, second = (table.labels[:, place] for place in places)
    same = resampled.share(first == second, (abs(first) == 1.0) & (abs(second) == 1.0))
    cells = [(first == x) & (second == y) for x in (1.0, -1.0) for y in (1.0, -1.0)]
    kappa = resampled.interval(np.column_stack(cells).astype(np.float64), _kappa)
    relation: Relation = ""
    if same is not None and same.low >= ALIKE:
        relation = "redundant" if kappa is not None and kappa.low > 0 else "leaning"
    elif same is not None and same.high < 0.5 and (couple.chance or 0.0) < _SURE:
        relation = "conflict"
    return replace(couple, same_interval=same, kappa_interval=kappa, relation=relation)


def _kappa(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """(p_o − p_e) / (1 − p_e) (Cohen 1960) of (m, 4) tables; NaN where p_e is 1 or all is 0."""
    ff, fs, sf, ss = cells.T
    n = ff + fs + sf + ss
    chance = (ff + fs) * (ff + sf) + (sf + ss) * (fs + ss)
    below = n * n - chance
    kappa: NDArray[np.float64] = np.divide(
        n * (ff + ss) - chance, below, out=np.full_like(n, np.nan), where=below > 1e-9
    )
    return kappa


def _chance(table: LeaveOut, a: int, b: int) -> float:
    """How likely so many prompt groups with more different than same winners are, by chance alone.

    A sign test against one half; groups in which both are equally many say nothing.
    """
    product = table.labels[:, a] * table.labels[:, b]
    balance = np.bincount(table.group_ids, np.nan_to_num(product))
    different, told = int((balance < 0).sum()), int((balance != 0).sum())
    return float(binomtest(different, told, alternative="greater").pvalue) if told else 1.0


def _holm(chances: list[float]) -> list[float]:
    """Adjusted for as many tests as there are (Holm 1979)."""
    order = sorted(range(len(chances)), key=chances.__getitem__)
    adjusted, so_far = [1.0] * len(chances), 0.0
    for rank, i in enumerate(order):
        so_far = max(so_far, min(1.0, (len(chances) - rank) * chances[i]))
        adjusted[i] = so_far
    return adjusted
