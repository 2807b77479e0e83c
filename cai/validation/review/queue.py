"""Who is asked about what, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.hashing import unit_interval
from cai.validation.records import item_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cai.validation.records import Item, Role
    from cai.validation.review.ledger import Entry, Ledger

__all__ = ["Queue", "Turn", "Work"]


@dataclass(frozen=True, slots=True)
class Turn:
    """An item whose turn it is, and what it is shown for."""

    role: Role
    item: Item


@dataclass(frozen=True, slots=True)
class Work:
    """What one annotator has done and has yet to do; practice is counted apart.

    `others` are items that were meant for other annotators and that nobody has labelled.
    """

    waiting: tuple[Turn, ...]
    done: int
    total: int
    practice_done: int
    practice_total: int
    others: int


class Queue:
    """Shares the items of a plan out among annotators.

    Shared items go to everybody. Of the other items, each has an order of preference over the
    annotators, a hash of both (rendezvous hashing), and goes to the first of them. That needs no
    record of who was given what; whoever joins takes an equal part of what is unlabelled from
    everyone, and nothing else moves. When someone leaves, the rest of their part is offered to
    those who have finished their own, if they ask for more: from its end, so that two people
    seldom work on the same item.
    """

    def __init__(
        self, seed: int, items: Sequence[Item], practice: Sequence[Item], ledger: Ledger
    ) -> None:
        self._seed = seed
        self._practice = tuple(practice)
        self._originals = tuple(item for item in items if not item.repeat)
        self._repeats = {item.item_id: item for item in items if item.repeat}
        self._ledger = ledger
        self._rankings: dict[str, tuple[str, ...]] = {}
        self._ranked: tuple[str, ...] = ()

    def work(
        self, annotator_id: str, peers: Sequence[str], owners: Sequence[str], *, more: bool = False
    ) -> Work:
        """What is to be done by an annotator.

        Args:
            annotator_id: whose work it is.
            peers: ids of all annotators of the same kind; what one of them has labelled is done.
            owners: those among whom items are shared out.
            more: also take over what was meant for others.
        """
        mine = self._ledger.of_annotator("label", annotator_id)
        practised = self._ledger.of_annotator("practice", annotator_id)
        own, others = self._share(annotator_id, mine, set(peers), tuple(owners))
        if more:
            own, others = [*own, *reversed(others)], []
        repeats = self._second_showings(own, mine)
        first = [Turn("practice", i) for i in self._practice if i.item_id not in practised]
        then = [Turn("label", i) for i in [*own, *repeats] if i.item_id not in mine]
        return Work(
            waiting=(*first, *then),
            done=len(own) + len(repeats) - len(then),
            total=len(own) + len(repeats),
            practice_done=len(self._practice) - len(first),
            practice_total=len(self._practice),
            others=len(others),
        )

    def _share(
        self, me: str, mine: Mapping[str, Entry], peers: set[str], owners: tuple[str, ...]
    ) -> tuple[list[Item], list[Item]]:
        """Items that are mine, and items of others that nobody has labelled."""
        own: list[Item] = []
        others: list[Item] = []
        for item in self._originals:
            if item.shared or item.item_id in mine:
                own.append(item)
                continue
            said = self._ledger.of_item("label", item.item_id)
            skipped = {a for a, e in said.items() if e.annotation.choice == "skip"}
            if any(a in peers and a not in skipped for a in said):
                continue
            ranking = self._ranking(item.item_id, owners)
            first = next((a for a in ranking if a not in skipped), None)
            (own if first == me else others).append(item)
        return own, others

    def _ranking(self, item: str, owners: tuple[str, ...]) -> tuple[str, ...]:
        if owners != self._ranked:
            self._ranked, self._rankings = owners, {}
        found = self._rankings.get(item)
        if found is None:
            found = tuple(sorted(owners, key=lambda a: unit_interval("owner", self._seed, item, a)))
            self._rankings[item] = found
        return found

    def _second_showings(self, own: Sequence[Item], mine: Mapping[str, Entry]) -> list[Item]:
        """Repeats of my items: at the end, those first whose original I labelled first.

        So as many other items as there are lie between the two showings.
        """
        found = []
        for place, item in enumerate(own):
            said = mine.get(item.item_id)
            again = self._repeats.get(item_id(item.pair.id, repeat=True))
            if again is None or (said and said.annotation.choice == "skip"):
                continue
            # What has no label yet will get it in the order of the queue.
            found.append((0, said.number, again) if said else (1, place, again))
        return [again for *_, again in sorted(found, key=lambda f: f[:2])]
