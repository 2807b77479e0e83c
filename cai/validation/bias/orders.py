"""What the order of presentation does: accuracy in one order and in both, consistency, slots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.validation.bias.means import difference_interval, share_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.validation.bias.records import JudgedPair
    from cai.validation.statistics.intervals import Interval

__all__ = ["OrderAccuracy", "Orders", "credit", "order_accuracy", "orders"]


@dataclass(frozen=True, slots=True)
class OrderAccuracy:
    """How often the judge names the gold answer.

    Args:
        n: pairs with a verdict; `verdict` is about them.
        verdict: the run's own p, with its weights and its panel.
        both_n: those of them with a verdict in both orders; the next three are about them. Scores
            and propositions have no orders.
        both: the average of both orders, the mean over principles as in `single`.
        single: one order alone, the mean over both placements of the gold answer.
        difference: `both` − `single` within pairs.
        decided: `verdict` on the pairs where it is outside the tie band and names a winner.
        decided_n: such pairs.
    """

    n: int
    verdict: Interval | None
    both_n: int
    both: Interval | None
    single: Interval | None
    difference: Interval | None
    decided: Interval | None
    decided_n: int


@dataclass(frozen=True, slots=True)
class Orders:
    """Position bias, without gold labels.

    Args:
        consistency: share of pairs whose two orders name the same winner.
        consistency_n: pairs with a winner in both orders.
        first_slot: share of single answers that prefer whatever was shown first.
        first_slot_n: single answers that prefer one.
        mean_mass: mean probability of both labels together.
    """

    consistency: Interval | None
    consistency_n: int
    first_slot: Interval | None
    first_slot_n: int
    mean_mass: float | None


def credit(p: float, gold: float) -> float:
    """1 where p and the gold label are on the same side of ½, 0 on different ones, else ½."""
    if p == 0.5 or gold == 0.5:
        return 0.5
    return float((p > 0.5) == (gold > 0.5))


def order_accuracy(
    pairs: Sequence[JudgedPair], *, draws: int = 2000, seed: int = 0
) -> OrderAccuracy:
    """Accuracy against gold labels that name a winner; p = ½ is half right.

    A verdict within the tie band counts by its side of ½, in one order as in both, so that the
    difference shows the order alone. Both are plain means over principles: a run may weigh them.
    """
    verdict, decided, both, single, gap = [], [], [], [], []
    for pair in pairs:
        if pair.gold in (None, 0.5) or pair.p is None:
            continue
        assert pair.gold is not None
        verdict.append((credit(pair.p, pair.gold), pair.group))
        if pair.outcome in ("first", "second"):
            decided.append(verdict[-1])
        if pair.ab is None or pair.ba is None:
            continue
        averaged = credit(0.5 * (pair.ab + pair.ba), pair.gold)
        alone = 0.5 * (credit(pair.ab, pair.gold) + credit(pair.ba, pair.gold))
        both.append((averaged, pair.group))
        single.append((alone, pair.group))
        gap.append((averaged - alone, pair.group))
    return OrderAccuracy(
        n=len(verdict),
        verdict=_share(verdict, draws, seed),
        both_n=len(both),
        both=_share(both, draws, seed),
        single=_share(single, draws, seed),
        difference=_difference(gap, draws, seed),
        decided=_share(decided, draws, seed),
        decided_n=len(decided),
    )


def orders(pairs: Sequence[JudgedPair], *, draws: int = 2000, seed: int = 0) -> Orders:
    """Consistency and slot preference, with intervals over prompt groups."""
    same = [
        (float((pair.ab > 0.5) == (pair.ba > 0.5)), pair.group)
        for pair in pairs
        if pair.ab is not None and pair.ba is not None and 0.5 not in (pair.ab, pair.ba)
    ]
    slots = [(float(p > 0.5), pair.group) for pair in pairs for p in pair.slots if p != 0.5]
    masses = [mass for pair in pairs for mass in pair.masses]
    return Orders(
        consistency=_share(same, draws, seed),
        consistency_n=len(same),
        first_slot=_share(slots, draws, seed),
        first_slot_n=len(slots),
        mean_mass=sum(masses) / len(masses) if masses else None,
    )


def _difference(rows: Sequence[tuple[float, str]], draws: int, seed: int) -> Interval | None:
    if not rows:
        return None
    values, groups = zip(*rows, strict=True)
    return difference_interval(values, groups, draws=draws, seed=seed)


def _share(rows: Sequence[tuple[float, str]], draws: int, seed: int) -> Interval | None:
    if not rows:
        return None
    values, groups = zip(*rows, strict=True)
    return share_interval(values, groups, draws=draws, seed=seed)
