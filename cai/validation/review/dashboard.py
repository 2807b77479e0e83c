"""The figures of the dashboard, as labels arrive."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from cai.validation.review.adjudication import CODES
from cai.validation.review.progress import pace
from cai.validation.review.showing import shown_side

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cai.validation.records import Annotator, Item
    from cai.validation.review.run import Review

__all__ = ["Dashboard"]

_DRAWS = 400
_REST_S = 4.0
"""Agreement is computed at most so often: its bootstrap must not take time from annotators."""
_ENOUGH = 5
"""Items that two people have labelled, below which a principle's agreement says nothing."""

_Ratings = list[list[int]]


class Dashboard:
    """Computes agreement only when labels have changed."""

    def __init__(self, review: Review) -> None:
        self._review = review
        self._lock = asyncio.Lock()
        self._known: dict[str, Any] = {}
        self._number = -1
        self._computed = 0.0

    async def figures(self) -> dict[str, Any]:
        """Everything that the page draws, as JSON."""
        review = self._review
        peers = review.peers()
        waiting, settled = review.disputes.standing([peer.id for peer in peers])
        labelled = [i for i in review.originals if review.ledger.of_item("label", i.item_id)]
        return {
            "kind": review.kind,
            "annotators": [self._annotator(peer) for peer in peers],
            "items": {"labelled": len(labelled), "total": len(review.originals)},
            "choices": self._choices(peers),
            "disputes": {"open": len(waiting), "settled": settled},
            **await self._agreement(peers),
        }

    def _annotator(self, annotator: Annotator) -> dict[str, Any]:
        work = self._review.work(annotator)
        return {
            "name": annotator.name,
            "kind": annotator.kind,
            "done": work.done,
            "total": work.total,
            "practice_done": work.practice_done,
            "practice_total": work.practice_total,
            "median_seconds": pace(self._review, annotator),
            "adjudicator": self._review.is_adjudicator(annotator),
        }

    def _choices(self, peers: Iterable[Annotator]) -> dict[str, int]:
        """How often each side was preferred, as shown: people who favour a side stand out."""
        counts: Counter[str] = Counter(dict.fromkeys(("a", "b", "tie", "both_bad", "skip"), 0))
        flagged = 0
        for peer in peers:
            for entry in self._review.ledger.of_annotator("label", peer.id).values():
                said = entry.annotation
                if said.choice is not None:
                    counts[shown_side(said.choice, said.swapped)] += 1
                    flagged += said.flagged
        return {**counts, "flagged": flagged}

    async def _agreement(self, peers: Sequence[Annotator]) -> dict[str, Any]:
        async with self._lock:
            number = self._review.ledger.number
            rested = time.monotonic() - self._computed > _REST_S
            if number != self._number and (rested or not self._known):
                tables = self._tables([peer.id for peer in peers])
                self._known = await asyncio.to_thread(_measure, *tables, self._review.plan.seed)
                self._number, self._computed = number, time.monotonic()
            return self._known

    def _tables(self, peers: Sequence[str]) -> tuple[_Ratings, list[str], dict[str, list[int]]]:
        """Codes by item and annotator, the group of each item, and items by deciding principle."""
        ratings: _Ratings = []
        groups: list[str] = []
        by_principle: dict[str, list[int]] = {}
        for item in self._review.originals:
            codes, named = self._item(item, peers)
            if any(code >= 0 for code in codes):
                for principle in named:
                    by_principle.setdefault(principle, []).append(len(ratings))
                ratings.append(codes)
                groups.append(item.group_id)
        return ratings, groups, by_principle

    def _item(self, item: Item, peers: Sequence[str]) -> tuple[list[int], set[str]]:
        said = self._review.ledger.of_item("label", item.item_id)
        words = [said[peer].annotation if peer in said else None for peer in peers]
        codes = [-1 if word is None else CODES.get(word.choice, -1) for word in words]
        return codes, {word.principle_id for word in words if word and word.principle_id}


def _measure(
    ratings: _Ratings, groups: Sequence[str], by_principle: dict[str, list[int]], seed: int
) -> dict[str, Any]:
    principles = []
    for name, rows in sorted(by_principle.items()):
        found = _agreement([ratings[row] for row in rows], [groups[row] for row in rows], seed)
        if found["pairable"] >= _ENOUGH:
            principles.append({"id": name, **found})
    return {"agreement": _agreement(ratings, groups, seed), "principles": principles}


def _agreement(ratings: _Ratings, groups: Sequence[str], seed: int) -> dict[str, Any]:
    pairable = sum(sum(code >= 0 for code in codes) >= 2 for codes in ratings)
    measures: dict[str, Any] = dict.fromkeys(("percent", "alpha", "cohen"))
    if pairable:
        import numpy as np

        from cai.validation.statistics.agreement import agreement

        found = agreement(np.array(ratings), groups, draws=_DRAWS, seed=seed)
        for name in measures:
            interval = getattr(found, name)
            if interval is not None:
                measures[name] = [interval.estimate, interval.low, interval.high]
    return {"pairable": pairable, **measures}
