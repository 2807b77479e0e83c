"""One run under review: all that pages and API need, whatever serves them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from cai.errors import UsageError
from cai.hashing import short_id
from cai.validation.labels import Labels
from cai.validation.review.adjudication import Disputes
from cai.validation.review.keys import Keys
from cai.validation.review.ledger import Ledger
from cai.validation.review.queue import Queue, Turn, Work

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cai.store import RunStore
    from cai.validation.records import Action, Annotator, AnnotatorKind, Item, Role

__all__ = ["Review"]


class Review:
    """A run with its plan, its guideline and its annotators.

    Plan and items are read once: whoever would change them has to write to the run, and that
    only one process can.

    Args:
        store: opened for writing.
        kind: of the annotators who sign in.
        adjudicators: names of those who settle disputes.
        practice: items of the practice round; none for no practice.
        open_to_all: whether a name is enough to sign in, that is, whether only users of this
            machine can reach the server.

    Raises:
        UsageError: the run has no plan or no constitution.
    """

    def __init__(
        self,
        store: RunStore,
        *,
        kind: AnnotatorKind = "human",
        adjudicators: Iterable[str] = (),
        practice: Sequence[Item] = (),
        open_to_all: bool = True,
    ) -> None:
        self.labels = Labels(store)
        self.plan = self.labels.needed_plan()
        self.kind = kind
        self.open_to_all = open_to_all
        self.constitution: dict[str, Any] = store.meta("constitution") or {}
        if not self.constitution.get("principles"):
            raise UsageError(f"The run {store.folder} names no constitution. Choose another run.")
        self.keys = Keys.of(store.folder)
        self.ledger = Ledger(self.labels)
        items = self.labels.items()
        self.originals = tuple(item for item in items if not item.repeat)
        self.items = {item.item_id: item for item in (*practice, *items)}
        self.queue = Queue(self.plan.seed, items, practice, self.ledger)
        self.adjudicators = frozenset(
            self.labels.add_annotator(name, kind).id for name in adjudicators
        )
        self.disputes = Disputes(self.plan.seed, self.originals, self.ledger)

    @cached_property
    def run_id(self) -> str:
        """Tells this run from others to a browser that keeps labels for several."""
        return short_id(["run", self.keys.cookie_name])

    @cached_property
    def principles(self) -> tuple[dict[str, Any], ...]:
        """Of the run's constitution, sorted by id."""
        return tuple(sorted(self.constitution["principles"], key=lambda p: str(p["id"])))

    def peers(self) -> list[Annotator]:
        """Annotators of the kind that signs in, in the order in which they came."""
        return [a for a in self.labels.annotators() if a.kind == self.kind]

    async def act(self, actions: Sequence[Action]) -> None:
        """Store what annotators did; returns when it is durable."""
        await self.labels.act_soon(actions)
        self.ledger.catch_up()

    def work(self, annotator: Annotator, role: Role = "label", *, more: bool = False) -> Work:
        """What an annotator has done and has yet to do."""
        peers = self.peers()
        everyone = [peer.id for peer in peers]
        if role == "adjudicate":
            waiting, settled = self.disputes.standing(everyone)
            turns = tuple(Turn("adjudicate", item) for item in waiting)
            return Work(turns, settled, settled + len(waiting), 0, 0, 0)
        # Who only settles disputes is given no items of their own to label.
        owners = [
            *(a for a in everyone if a not in self.adjudicators),
            *(a for a in everyone if a in self.adjudicators and self._labels(a)),
        ]
        return self.queue.work(annotator.id, everyone, sorted(owners), more=more)

    def is_adjudicator(self, annotator: Annotator) -> bool:
        """Whether the annotator may settle disputes."""
        return annotator.id in self.adjudicators

    def _labels(self, annotator_id: str) -> bool:
        return bool(self.ledger.of_annotator("label", annotator_id))
