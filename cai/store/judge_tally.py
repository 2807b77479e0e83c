"""How the judge of a run answers, gathered verdict by verdict."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.store.statistics import Rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.records import OrderVerdict, PrincipleVerdict

__all__ = ["JudgeSummary", "JudgeTally"]


@dataclass(frozen=True, slots=True)
class JudgeSummary:
    """What the judge's answers look like, before they are averaged.

    `orders` counts single answers by outcome; `verdicts` counts verdicts under one principle, both
    orders together.

    `first_slot` is the share of orders with a winner that prefer the answer shown first; without
    position bias it is near one half when both orders are asked. `flip` is the share of verdicts,
    both orders with a winner, whose orders name different ones. `single_order` is the share of
    those in which the first order alone names the winner of the average (averages of exactly 0.5
    name none and are left out). `bounded` is the share of answered orders with one label out of
    sight.
    `mean_mass` is the mean probability of both labels together, over the orders that gave one.
    `voted` is the share of orders that were read from short samples for want of log-probabilities.
    """

    orders: Mapping[str, int]
    verdicts: Mapping[str, int]
    first_slot: Rate
    flip: Rate
    single_order: Rate
    bounded: Rate
    mean_mass: float | None
    voted: Rate


class JudgeTally:
    """Takes verdicts one at a time; `result` may be asked at any moment."""

    def __init__(self) -> None:
        """Begin with no verdicts."""
        self._orders: Counter[str] = Counter()
        self._verdicts: Counter[str] = Counter()
        self._first_slot = self._won = self._bounded = self._voted = 0
        self._mass, self._masses = 0.0, 0
        self._flipped = self._both = 0
        self._agreeing = self._comparable = 0

    def add(self, verdict: PrincipleVerdict) -> None:
        """Count a verdict under one principle."""
        self._verdicts[verdict.outcome] += 1
        for order in verdict.orders:
            self._add_order(order)
        if verdict.flipped is None:
            return
        self._both += 1
        self._flipped += verdict.flipped
        alone = next((o.p_shown_first for o in verdict.orders if o.order == "ab"), None)
        if alone is not None and verdict.p is not None and verdict.p != 0.5:
            self._comparable += 1
            self._agreeing += (alone > 0.5) == (verdict.p > 0.5)

    def _add_order(self, order: OrderVerdict) -> None:
        self._orders[order.outcome] += 1
        if order.mass is not None:
            self._mass += order.mass
            self._masses += 1
        self._voted += order.votes > 0
        if order.p_shown_first is not None:
            self._won += order.p_shown_first != 0.5
            self._first_slot += order.p_shown_first > 0.5
            self._bounded += order.bounded

    def result(self) -> JudgeSummary:
        """The figures of the verdicts so far."""
        answered = self._orders["answered"]
        return JudgeSummary(
            orders={outcome: n for outcome, n in self._orders.items() if n},
            verdicts=dict(self._verdicts),
            first_slot=Rate(self._first_slot, self._won),
            flip=Rate(self._flipped, self._both),
            single_order=Rate(self._agreeing, self._comparable),
            bounded=Rate(self._bounded, answered),
            mean_mass=self._mass / self._masses if self._masses else None,
            voted=Rate(self._voted, self._orders.total()),
        )
