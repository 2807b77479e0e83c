"""May the judge stand in for a person? The alternative annotator test.

Calderon, Reichart, Dror 2025, "The Alternative Annotator Test for LLM-as-a-Judge",
arXiv:2501.10970, for labels without an order. The details follow the code of the authors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import stdtr
from scipy.stats import false_discovery_control, wilcoxon

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    _Row = tuple[int, int, float, float, float]

__all__ = ["EPSILON", "AltTest", "AnnotatorResult", "Skill", "alt_test"]

Skill = Literal["expert", "skilled", "crowd"]

EPSILON: dict[Skill, float] = {"expert": 0.2, "skilled": 0.15, "crowd": 0.1}
"""ε by the skill of the people: what a label costs less from the judge."""

_ANNOTATORS = 3
"""Fewer people have no consensus that a judge could match."""

_NORMAL = 30
"""From so many items on, the mean of d is taken for normal."""

_PASS = 0.5
"""Winning rate that is enough."""


@dataclass(frozen=True, slots=True)
class AnnotatorResult:
    """The judge against one person, both measured by the other people."""

    annotator: int
    """Column of `ratings`."""
    n: int
    """Items that this person, the judge and someone else labelled."""
    advantage_judge: float
    """ρ_f: share of items where the judge fits the others at least as well."""
    advantage_human: float
    """ρ_h: share of items where the person does."""
    p_value: float
    rejected: bool
    """The judge wins: H₀ ρ_f ≤ ρ_h − ε is rejected."""


@dataclass(frozen=True, slots=True)
class AltTest:
    """Outcome of the test; `not_run` is never a pass."""

    outcome: Literal["passed", "failed", "not_run"]
    reason: str
    epsilon: float
    q: float
    winning_rate: float | None = None
    """ω: share of people against whom the judge wins."""
    advantage: float | None = None
    """ρ: mean of ρ_f over the people; it compares judges, whatever ε is."""
    annotators: tuple[AnnotatorResult, ...] = ()
    left_out: tuple[int, ...] = ()
    """Columns with fewer than `min_items` items."""


def alt_test(
    ratings: ArrayLike,
    judge: ArrayLike,
    *,
    epsilon: float | None = None,
    skill: Skill = "skilled",
    q: float = 0.05,
    min_items: int = 30,
    clusters: ArrayLike | None = None,
) -> AltTest:
    """Leave out each person in turn, and ask whether the judge fits the others as well.

    On an item, S is the share of the others who gave the same label, d = 1[S_h ≥ S_f] −
    1[S_f ≥ S_h], and H₀ (mean of d is ε or more) is tested from below. Benjamini and Yekutieli
    (2001) hold the rate of false wins at q, as the tests share their people.

    Args:
        ratings: (items, annotators) codes from 0; −1 where a person gave no label.
        judge: (items,) codes; −1 where the judge gave none. Such items are left out.
        epsilon: ε in [0, 1); default: that of `skill`.
        skill: of the people: `expert` 0.2, `skilled` 0.15, `crowd` 0.1.
        q: false discovery rate.
        min_items: people with fewer items are left out. From 30 on d is tested with Student's t.
        clusters: (items,) names of the near-duplicates; the variance is then that of their sums.

    Raises:
        ValueError: shapes or values that do not fit together.
    """
    people: Ints = np.asarray(ratings, dtype=np.int64)
    machine: Ints = np.asarray(judge, dtype=np.int64)
    groups: NDArray[Any] = np.arange(len(machine)) if clusters is None else np.asarray(clusters)
    margin = EPSILON[skill] if epsilon is None else epsilon
    if people.ndim != 2 or machine.shape != people.shape[:1] or groups.shape != machine.shape:
        shapes = people.shape, machine.shape, groups.shape
        raise ValueError(f"need (items, annotators), (items,) and (items,), got {shapes}")
    if not (0 <= margin < 1 and 0 < q < 1 and min_items >= 1):
        given = margin, q, min_items
        raise ValueError(f"need ε in [0, 1), q in (0, 1) and 1 item or more, got {given}")
    found, short = [], []
    for j in range(people.shape[1]):
        items, d, judged, human = _advantages(people, machine, j)
        if len(items) < min_items:
            short.append(j)
            continue
        small = clusters is None and len(items) < _NORMAL
        p = _small_p_value(d, margin) if small else _t_p_value(d, margin, groups[items])
        found.append((j, len(items), judged, human, p))
    if len(found) < _ANNOTATORS:
        reason = (
            f"{len(found)} of {people.shape[1]} annotators share {min_items} items or more with "
            f"the judge and with someone else; the test needs {_ANNOTATORS}."
        )
        return AltTest("not_run", reason, margin, q, left_out=tuple(short))
    return _decide(found, margin, q, tuple(short))


def _decide(rows: list[_Row], epsilon: float, q: float, short: tuple[int, ...]) -> AltTest:
    adjusted = false_discovery_control([row[-1] for row in rows], method="by")
    results = tuple(
        AnnotatorResult(*row, rejected=bool(value <= q))
        for row, value in zip(rows, adjusted, strict=True)
    )
    wins = sum(result.rejected for result in results)
    rate = wins / len(results)
    passed = rate >= _PASS
    reason = (
        f"The judge stands in for {wins} of {len(results)} annotators at ε = {epsilon:g}; "
        f"{'that is' if passed else 'it needs'} half of them or more."
    )
    advantage = sum(result.advantage_judge for result in results) / len(results)
    return AltTest(
        "passed" if passed else "failed", reason, epsilon, q, rate, advantage, results, short
    )


def _advantages(people: Ints, machine: Ints, j: int) -> tuple[Ints, Floats, float, float]:
    """Items of annotator j; there (n,) d = W^h − W^f, and the means ρ_f and ρ_h.

    The others of an item are the same for both, so matches are compared as counts, not shares.
    """
    others = np.delete(people, j, axis=1)
    items = np.flatnonzero((people[:, j] >= 0) & (machine >= 0) & (others >= 0).any(axis=1))
    if len(items) == 0:
        return items, np.zeros(0), 0.0, 0.0
    human = (others[items] == people[items, j][:, None]).sum(axis=1)
    model = (others[items] == machine[items][:, None]).sum(axis=1)
    d = np.sign(human - model).astype(np.float64)
    return items, d, float(np.mean(model >= human)), float(np.mean(human >= model))


def _t_p_value(d: Floats, epsilon: float, groups: NDArray[Any]) -> float:
    """One-sided p-value of H₀, mean of d ≥ ε, by Student's t on the sums of clusters."""
    cluster = np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(cluster, d - d.mean())
    kinds = len(sums)
    if np.ptp(d) == 0 or kinds < 2:
        return _constant_p_value(float(d.max()), epsilon, kinds)
    error = float(np.sqrt(kinds / (kinds - 1) * (sums @ sums))) / len(d)
    return float(stdtr(kinds - 1, (d.mean() - epsilon) / error))


def _small_p_value(d: Floats, epsilon: float) -> float:
    """Wilcoxon's signed ranks, which the authors advise below 30 items, but never below the t-test.

    Alone they ask about the median: where d is 0 or 1 with a mean of exactly ε, they would let the
    judge win more than half of the time.
    """
    own = np.arange(len(d))
    if np.ptp(d) == 0:
        return _t_p_value(d, epsilon, own)
    ranks = wilcoxon(d - epsilon, alternative="less", method="asymptotic").pvalue
    return max(float(ranks), _t_p_value(d, epsilon, own))


def _constant_p_value(value: float, epsilon: float, n: int) -> float:
    """Exact p-value where d has the same value n times, and the t-test has no variance.

    A mean of ε or more needs P(d = 1) ≥ ε, so n values of 0 have a chance of (1 − ε)ⁿ at most;
    and P(d = −1) is (1 − ε)/2 at most, if all the rest is 1.
    """
    if value > 0:
        return 1.0
    return (1 - epsilon) ** n if value == 0 else ((1 - epsilon) / 2) ** n
