"""The judge against people: accuracy, κ, confusion, calibration, by principle and by tag."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cai.validation.statistics.calibration import (
    ReliabilityBin,
    brier,
    confusion,
    expected_calibration_error,
    reliability,
)
from cai.validation.statistics.intervals import Interval, cluster_bootstrap, wilson
from cai.validation.table import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from cai.records import Pair
    from cai.validation.records import Item
    from cai.validation.table import LabelTable

__all__ = ["Calibration", "JudgeAgainstPeople", "Slice", "judge_against_people", "right"]

_TARGETS = np.array([1.0, 0.0, 0.5])
"""What people say, as the probability that the first answer is better: first, second, tie."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The judge on the labelled pairs of one principle or tag, as drawn."""

    name: str
    n: int
    accuracy: Interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far the judge's probabilities are from what people say, over the pairs as drawn."""

    n: int
    ece: float
    brier: float
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class JudgeAgainstPeople:
    """What the labelled pairs say of the judge.

    Args:
        n: pairs with a label by people that counts.
        verdicts: those of them on which the judge gave a verdict.
        kappa: Cohen's κ over first, second and tie, weighted by inverse inclusion probabilities,
            with an interval over prompt groups; None where it is not defined.
        confusion: pairs by (judge's outcome, people's label).
        calibration: None without a pair that has both.
        principles: by the principle under which the judge compared.
        tags: by the tags of the prompt.
    """

    n: int
    verdicts: int
    kappa: Interval | None
    confusion: Mapping[tuple[str, str], int]
    calibration: Calibration | None
    principles: tuple[Slice, ...]
    tags: tuple[Slice, ...]


def right(judge: int, gold: int) -> float:
    """How right a decided verdict is: ½ where people see a tie."""
    return 0.5 if gold == NAMES.index("tie") else float(judge == gold)


def judge_against_people(
    table: LabelTable, *, draws: int = 2000, seed: int = 0
) -> JudgeAgainstPeople:
    """Compare all verdicts with the gold labels.

    Args:
        table: the labels of people.
        draws: bootstrap samples for κ.
        seed: of the draws.
    """
    known = np.flatnonzero(table.gold >= 0)
    items, gold = [table.items[i] for i in known], table.gold[known]
    judge = table.judge[known]
    both = judge >= 0
    return JudgeAgainstPeople(
        n=len(known),
        verdicts=int(both.sum()),
        kappa=_kappa(judge, gold, items, draws, seed),
        confusion=confusion([_outcome(i.pair) for i in items], [NAMES[g] for g in gold]),
        calibration=_calibration(items, gold),
        principles=_slices(items, judge, gold, _principles),
        tags=_slices(items, judge, gold, lambda item: item.prompt.tags),
    )


def _kappa(
    judge: NDArray[np.int64], gold: NDArray[np.int64], items: list[Item], draws: int, seed: int
) -> Interval | None:
    """(p_o − p_e) / (1 − p_e) (Cohen 1960) over the weighted table of both."""
    both = np.flatnonzero(judge >= 0)
    weights = np.array([1.0 / items[i].inclusion for i in both])
    codes = judge[both] * len(NAMES) + gold[both]

    def statistic(rows: NDArray[np.intp]) -> float | None:
        counts = np.bincount(codes[rows], weights[rows], len(NAMES) ** 2).reshape(len(NAMES), -1)
        shares = counts / counts.sum()
        expected = float(shares.sum(axis=1) @ shares.sum(axis=0))
        return None if expected >= 1.0 else (float(shares.trace()) - expected) / (1.0 - expected)

    clusters = [items[i].group_id for i in both]
    return cluster_bootstrap(statistic, clusters, draws=draws, seed=seed) if len(both) else None


def _calibration(items: list[Item], gold: NDArray[np.int64]) -> Calibration | None:
    pairs = [(i.pair.p, _TARGETS[g]) for i, g in zip(items, gold, strict=True)]
    p = [given for given, _ in pairs if given is not None]
    target = [label for given, label in pairs if given is not None]
    if not p:
        return None
    error = expected_calibration_error(p, target)
    return Calibration(len(p), error, brier(p, target), reliability(p, target))


def _slices(
    items: list[Item], judge: NDArray[np.int64], gold: NDArray[np.int64], names_of: _NamesOf
) -> tuple[Slice, ...]:
    """Accuracy of the decided verdicts by name, most pairs first."""
    scores: dict[str, list[float]] = defaultdict(list)
    for item, said, label in zip(items, judge, gold, strict=True):
        if said in (0, 1):
            for name in names_of(item):
                scores[name].append(right(int(said), int(label)))
    ranked = sorted(scores.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    return tuple(Slice(name, len(s), wilson(sum(s), len(s))) for name, s in ranked)


def _principles(item: Item) -> Iterator[str]:
    verdict = item.pair.verdict
    seen = (i for v in (verdict.principles if verdict else ()) for i in v.principle_ids)
    yield from dict.fromkeys(seen)


def _outcome(pair: Pair) -> str:
    if pair.constructed is not None:
        return "by construction"
    return pair.verdict.outcome if pair.verdict else "not judged"


if TYPE_CHECKING:
    from collections.abc import Callable

    _NamesOf = Callable[[Item], Iterable[str]]
