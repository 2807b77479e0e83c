"""Disputes: items on which annotators differ, and what an adjudicator is shown of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cai.hashing import unit_interval
from cai.validation.review.showing import is_swapped, shown_choice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cai.validation.records import Choice, Item
    from cai.validation.review.ledger import Entry, Ledger

__all__ = ["CODES", "Disputes"]

CODES: Mapping[Choice | None, int] = {"first": 0, "second": 1, "tie": 2, "both_bad": 2}
"""What a choice says of a pair, for agreement: that both are bad prefers neither. Skips say
nothing and have no code."""


class Disputes:
    """Items that are in dispute, by what the ledger says."""

    def __init__(self, seed: int, items: Sequence[Item], ledger: Ledger) -> None:
        self._seed = seed
        self._items = items
        self._ledger = ledger

    def standing(self, peers: Sequence[str]) -> tuple[list[Item], int]:
        """Disputes to be settled, in the order of the plan, and the number of settled ones.

        Args:
            peers: ids of the annotators whose labels and judgements count.
        """
        waiting, settled = [], 0
        for item in self._items:
            if len({CODES[e.annotation.choice] for e in self._said(item, peers).values()}) < 2:
                continue
            words = self._ledger.of_item("adjudicate", item.item_id)
            if any(a in peers for a in words):
                settled += 1
            else:
                waiting.append(item)
        return waiting, settled

    def opinions(self, item: Item, viewer: str, peers: Sequence[str]) -> list[dict[str, Any]]:
        """The labels of an item as its adjudicator sees it; who gave them is not told.

        Their order differs from item to item, so that nobody is recognised by a number.
        """
        swapped = is_swapped(self._seed, viewer, item)
        said = sorted(
            self._said(item, peers).items(),
            key=lambda pair: unit_interval("opinion", self._seed, item.item_id, pair[0]),
        )
        return [shown_choice(entry.annotation, swapped) for _, entry in said]

    def _said(self, item: Item, peers: Sequence[str]) -> dict[str, Entry]:
        said = self._ledger.of_item("label", item.item_id)
        return {a: e for a, e in said.items() if a in peers and e.annotation.choice in CODES}
