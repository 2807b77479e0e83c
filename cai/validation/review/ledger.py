"""What counts now, read from the store as it grows.

It holds nothing of its own: a new one, made after a crash, says the same. Only one process can
write to a run, so it is enough to look again after each of its own writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.validation.labels import Labels
    from cai.validation.records import Annotation, Role

__all__ = ["Entry", "Ledger"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What an annotator says of an item; `number` grows with every action in the store."""

    number: int
    annotation: Annotation
    created: float


class Ledger:
    """The last word of every annotator on every item, by role."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._number = 0
        self._by_annotator: dict[tuple[Role, str], dict[str, Entry]] = {}
        self._by_item: dict[tuple[Role, str], dict[str, Entry]] = {}
        self.catch_up()

    @property
    def number(self) -> int:
        """Of the last action; what is derived from the ledger is valid while it stays."""
        return self._number

    def of_annotator(self, role: Role, annotator_id: str) -> Mapping[str, Entry]:
        """By item, those that were answered last at the end."""
        return self._by_annotator.get((role, annotator_id), {})

    def of_item(self, role: Role, item_id: str) -> Mapping[str, Entry]:
        """By annotator."""
        return self._by_item.get((role, item_id), {})

    def catch_up(self) -> None:
        """Read what was stored since."""
        for number, action in self._labels.since(self._number):
            self._number = number
            mine = self._by_annotator.setdefault((action.role, action.annotator_id), {})
            here = self._by_item.setdefault((action.role, action.item_id), {})
            mine.pop(action.item_id, None)
            here.pop(action.annotator_id, None)
            if action.annotation.choice is not None:
                entry = Entry(number, action.annotation, action.created)
                mine[action.item_id] = here[action.annotator_id] = entry
