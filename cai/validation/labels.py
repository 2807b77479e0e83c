"""Plans, items, annotators and their actions in the run store."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import unicodedata
from typing import TYPE_CHECKING, Any

from cai.errors import StoreError, UsageError
from cai.hashing import canonical_json
from cai.records import load
from cai.validation.records import Action, Annotation, Annotator, Item, SamplingPlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cai.store import RunStore
    from cai.validation.records import AnnotatorKind, RetiredFor, Role

__all__ = ["Labels", "clean_name"]

_NAME = 60
"""Most characters of an annotator's name."""


def clean_name(name: str) -> str:
    """An annotator's name in NFC, with single spaces.

    Raises:
        UsageError: it is empty or too long, or cannot be printed.
    """
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not name or len(name) > _NAME or not name.isprintable():
        raise UsageError(
            f"Got an annotator's name of {len(name)} characters. Allowed: 1 to {_NAME} that "
            "can be printed."
        )
    return name


class Labels:
    """The part of a run store that people fill.

    Writes return only after they are durable; they need a store that was opened for writing.
    """

    def __init__(self, store: RunStore) -> None:
        self.store = store

    def put_plan(self, plan: SamplingPlan, items: Sequence[Item]) -> None:
        """Store a plan with its items; from now on it is the current one. Labels stay."""
        lines = [
            (plan.id, place, item.item_id, canonical_json(item)) for place, item in enumerate(items)
        ]

        def work(connection: sqlite3.Connection) -> None:
            (last,) = connection.execute(
                "SELECT coalesce(max(number), 0) FROM sampling_plans"
            ).fetchone()
            connection.execute(
                "INSERT INTO sampling_plans VALUES (?, ?, ?, ?) ON CONFLICT (plan_id) "
                "DO UPDATE SET number = excluded.number",
                (last + 1, plan.id, time.time(), canonical_json(plan)),
            )
            connection.execute("DELETE FROM items WHERE plan_id = ?", (plan.id,))
            connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", lines)

        self.store.transact(work)

    def plan(self) -> SamplingPlan | None:
        """The current plan, or None."""
        for (record,) in self.store.select(
            "SELECT record FROM sampling_plans ORDER BY number DESC LIMIT 1"
        ):
            return load(SamplingPlan, record)
        return None

    def needed_plan(self) -> SamplingPlan:
        """The current plan.

        Raises:
            UsageError: there is none.
        """
        plan = self.plan()
        if plan is None:
            raise UsageError(
                f"The run {self.store.folder} has no sampling plan. Draw one first: "
                f"cai validate plan {self.store.folder}"
            )
        return plan

    def items(self) -> tuple[Item, ...]:
        """The items of the current plan in their order, without those of retired groups."""
        found = self.store.select(
            "SELECT record FROM items WHERE plan_id = "
            "(SELECT plan_id FROM sampling_plans ORDER BY number DESC LIMIT 1) ORDER BY place"
        )
        retired = self.retired()
        items = (load(Item, record) for (record,) in found)
        return tuple(item for item in items if item.group_id not in retired)

    def promoted_items(self) -> tuple[Item, ...]:
        """Items of all plans whose labels training was given; each once."""
        promoted = self.retired("promoted")
        found: dict[str, Item] = {}
        if promoted:
            for (record,) in self.store.select("SELECT record FROM items ORDER BY plan_id, place"):
                item = load(Item, record)
                if item.group_id in promoted:
                    found[item.item_id] = item
        return tuple(found.values())

    def add_annotator(self, name: str, kind: AnnotatorKind) -> Annotator:
        """The annotator of this name, in whatever case, who is added if need be.

        Raises:
            UsageError: the name is empty or too long, or was used by another kind of annotator.
        """
        name = clean_name(name)
        # Ada and ada agree with each other, and are not two people.
        known = (a for a in self.annotators() if a.name.casefold() == name.casefold())
        annotator = next(known, Annotator(name, kind))
        line = (annotator.id, annotator.name, kind, time.time())
        self.store.transact(
            lambda c: c.execute("INSERT OR IGNORE INTO annotators VALUES (?, ?, ?, ?)", line)
        )
        stored = next(a for a in self.annotators() if a.id == annotator.id)
        if stored.kind != kind:
            raise UsageError(
                f"The annotator '{name}' is {stored.kind} in this run, not {kind}. Labels of both "
                "kinds must not be mixed: choose another name."
            )
        return stored

    def annotators(self) -> tuple[Annotator, ...]:
        """All annotators, in the order in which they came."""
        found = self.store.select("SELECT name, kind FROM annotators ORDER BY created, name")
        return tuple(Annotator(name, kind) for name, kind in found)

    def act(self, actions: Iterable[Action]) -> int:
        """Store what annotators did; returns how many actions were new."""
        lines = [_line(action) for action in actions]
        return self.store.transact(lambda c: _insert(c, lines))

    async def act_soon(self, actions: Iterable[Action]) -> int:
        """The same from an event loop."""
        lines = [_line(action) for action in actions]
        return await asyncio.to_thread(self.store.transact, lambda c: _insert(c, lines))

    def actions(self, *, role: Role | None = None) -> Iterator[Action]:
        """Everything that was done, in order."""
        for values in self.store.select(
            "SELECT action_id, annotator_id, item_id, role, record, created FROM actions "
            "WHERE coalesce(role = ?, true) ORDER BY number",
            role,
        ):
            yield _action(values)

    def actions_of(self, annotator: Annotator) -> list[Action]:
        """What one annotator did, in order."""
        found = self.store.select(
            "SELECT action_id, annotator_id, item_id, role, record, created FROM actions "
            "WHERE annotator_id = ? ORDER BY number",
            annotator.id,
        )
        return [_action(values) for values in found]

    def since(self, number: int) -> Iterator[tuple[int, Action]]:
        """What was done after the action of this number, each with its own, in order."""
        for at, *values in self.store.select(
            "SELECT number, action_id, annotator_id, item_id, role, record, created FROM actions "
            "WHERE number > ? ORDER BY number",
            number,
        ):
            yield at, _action(values)

    def current(
        self, role: Role = "label", kind: AnnotatorKind | None = None
    ) -> dict[tuple[str, str], Action]:
        """What counts now, by (annotator id, item id), in the order of the actions.

        Args:
            role: of the actions.
            kind: of the annotators; all when None.
        """
        kinds = {annotator.id: annotator.kind for annotator in self.annotators()}
        found: dict[tuple[str, str], Action] = {}
        for action in self.actions(role=role):
            if kind is None or kinds[action.annotator_id] == kind:
                key = (action.annotator_id, action.item_id)
                found.pop(key, None)
                if action.annotation.choice is not None:
                    found[key] = action
        return found

    def retired(self, reason: RetiredFor | None = None) -> frozenset[str]:
        """Prompt groups that are held out no longer, for this reason or for any."""
        found = self.store.select(
            "SELECT group_id FROM retired WHERE coalesce(reason = ?, true)", reason
        )
        return frozenset(group for (group,) in found)

    def retire(self, groups: Iterable[str], reason: RetiredFor) -> None:
        """Take prompt groups out of the held-out split, for good."""
        lines = [(group, reason, time.time()) for group in groups]
        self.store.transact(
            lambda c: c.executemany("INSERT OR IGNORE INTO retired VALUES (?, ?, ?)", lines)
        )


def _line(action: Action) -> tuple[Any, ...]:
    return (
        *(action.action_id, action.annotator_id, action.item_id, action.role),
        *(canonical_json(action.annotation), action.created),
    )


def _insert(connection: sqlite3.Connection, lines: list[tuple[Any, ...]]) -> int:
    before = connection.total_changes
    try:
        connection.executemany(
            "INSERT OR IGNORE INTO actions "
            "(action_id, annotator_id, item_id, role, record, created) VALUES (?, ?, ?, ?, ?, ?)",
            lines,
        )
    except sqlite3.IntegrityError as error:
        raise StoreError(
            "Got a label by an annotator whom the run does not know. Add the annotator first."
        ) from error
    return connection.total_changes - before


def _action(values: Any) -> Action:
    action_id, annotator_id, item, role, record, created = values
    return Action(action_id, annotator_id, item, role, load(Annotation, record), created)
