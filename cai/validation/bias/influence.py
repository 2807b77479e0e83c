"""What each principle of a constitution decides: the labels without it, and beside the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cai.validation.bias.couples import couples
from cai.validation.bias.leave_out import leave_out
from cai.validation.statistics.sums import SumBootstrap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from cai.constitution.models import Aggregate
    from cai.judge.repool import Pooling
    from cai.validation.bias.couples import Couple, Relation
    from cai.validation.bias.leave_out import LeaveOut
    from cai.validation.bias.records import JudgedPair
    from cai.validation.statistics.intervals import Interval

__all__ = ["LEAST", "Effect", "Influence", "Source", "influence"]

LEAST = 20
"""Pairs with two winners that it takes to call two principles redundant or in conflict."""

Source = Literal["stored", "asked"]
"""`stored`: what the run asked for its labels; `asked`: every principle, on a sample of pairs."""

_LABELS = {"first": 1.0, "second": -1.0, "tie": 0.0}


@dataclass(frozen=True, slots=True)
class Effect:
    """What one principle does to the labels. The whole is the verdict under all principles.

    Args:
        principle: its id.
        pairs: judged under it.
        answered: those of them on which it gave a probability.
        tried: those of them on which another principle did, too, so that it can be left out.
        changed: share of the tried whose label (first, second or tie) is another without it.
        turned: share of the tried whose winner is the other answer without it.
        decided: share of the tried in which the whole names the winner that it names, and would
            not without it.
        agrees: share in which the whole names the same winner, where both name one.
        agrees_of: how many pairs these are.
        agrees_others: the same with the verdict of all others, which it is no part of.
        agrees_others_of: how many pairs these are.
        labels: answered pairs by the label of this principle alone.
        label_entropy: of `labels`, in bits: 0 when all are the same, 1.58 when each is as common.
        p_entropy: mean entropy of p, in bits: 0 when it is always sure, 1 when p is always ½.
    """

    principle: str
    pairs: int
    answered: int
    tried: int
    changed: Interval | None
    turned: Interval | None
    decided: Interval | None
    agrees: Interval | None
    agrees_of: int
    agrees_others: Interval | None
    agrees_others_of: int
    labels: Mapping[str, int]
    label_entropy: float | None
    p_entropy: float | None


@dataclass(frozen=True, slots=True)
class Influence:
    """The principles of a run by their influence, and how they go together.

    Args:
        source: where the verdicts are from.
        pairs: judged.
        groups: of their prompts.
        several: pairs with a probability under at least two principles; without any, no principle
            can be left out.
        aggregate: how the verdicts under several principles were put together.
        tie_band: a p within ½ ± this is a tie.
        own: share of the pairs whose label of all principles is the one that the run has stored;
            None where they are the same verdicts.
        principles: those first whose absence changes most labels.
        couples: of principles that judged a pair in common.
        least: decided pairs that a relation between two principles needs.
    """

    source: Source
    pairs: int
    groups: int
    several: int
    aggregate: Aggregate
    tie_band: float
    own: Interval | None
    principles: tuple[Effect, ...]
    couples: tuple[Couple, ...]
    least: int

    def related(self, *relations: Relation) -> tuple[Couple, ...]:
        """Couples of these relations, the clearest first."""
        found = [one for one in self.couples if one.relation in relations]
        return tuple(sorted(found, key=lambda one: (-abs((one.same or 0.0) - 0.5), one.names)))

    @property
    def compared(self) -> int:
        """Couples with enough pairs for a relation."""
        return sum(one.decided >= self.least for one in self.couples)


def influence(
    pairs: Sequence[JudgedPair],
    pooling: Pooling,
    *,
    source: Source = "stored",
    least: int = LEAST,
    draws: int = 2000,
    seed: int = 0,
) -> Influence:
    """Leave out each principle in turn, and compare each with each other.

    Args:
        pairs: with their ballots.
        pooling: how the verdicts are put together.
        source: where they are from.
        least: decided pairs that a relation between two principles needs.
        draws: bootstrap samples of each interval, over prompt groups.
        seed: of the draws.
    """
    table = leave_out(pairs, pooling)
    resampled = SumBootstrap(table.groups, draws=draws, seed=seed)
    effects = [_effect(table, resampled, k) for k in range(len(table.names))]
    told = ~(np.isnan(table.whole) | np.isnan(table.own))
    own = resampled.share(table.whole == table.own, told) if source == "asked" else None
    return Influence(
        source=source,
        pairs=len(pairs),
        groups=len(set(table.groups)),
        several=int(table.tried.any(axis=1).sum()),
        aggregate=pooling.aggregate,
        tie_band=pooling.tie_band,
        own=own,
        principles=tuple(sorted(effects, key=_rank)),
        couples=couples(table, resampled, least),
        least=least,
    )


def _rank(effect: Effect) -> tuple[float, float, str]:
    changed, decided = effect.changed, effect.decided
    return (
        -changed.estimate if changed else 1.0,
        -decided.estimate if decided else 1.0,
        effect.principle,
    )


def _effect(table: LeaveOut, resampled: SumBootstrap, k: int) -> Effect:
    label, without, whole = table.labels[:, k], table.without[:, k], table.whole
    tried, winner = table.tried[:, k], abs(label) == 1.0
    decided = winner & (whole == label) & (without != label)
    with_whole = tried & winner & (abs(whole) == 1.0)
    with_others = tried & winner & (abs(without) == 1.0)
    counts = {name: int((label == code).sum()) for name, code in _LABELS.items()}
    return Effect(
        principle=table.names[k],
        pairs=int(table.asked[:, k].sum()),
        answered=sum(counts.values()),
        tried=int(tried.sum()),
        changed=resampled.share(whole != without, tried),
        turned=resampled.share(whole * without == -1.0, tried),
        decided=resampled.share(decided, tried),
        agrees=resampled.share(label == whole, with_whole),
        agrees_of=int(with_whole.sum()),
        agrees_others=resampled.share(label == without, with_others),
        agrees_others_of=int(with_others.sum()),
        labels=counts,
        label_entropy=_entropy_of(list(counts.values())),
        p_entropy=_mean_entropy(table.p[:, k]),
    )


def _entropy_of(counts: list[int]) -> float | None:
    """−Σ q log₂ q of the shares."""
    total = sum(counts)
    if not total:
        return None
    return float(_surprise(np.array(counts) / total).sum())


def _mean_entropy(ps: NDArray[np.float64]) -> float | None:
    given = ps[~np.isnan(ps)]
    return float((_surprise(given) + _surprise(1.0 - given)).mean()) if len(given) else None


def _surprise(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """−q log₂ q; 0 at 0."""
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    # Not −0.0, which would be printed.
    return np.abs(shares * logs)
