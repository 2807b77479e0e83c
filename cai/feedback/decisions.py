"""What people said on the review page: decisions about the queue, and how right users are."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Literal

from cai.validation.labels import Labels
from cai.validation.statistics.intervals import wilson

if TYPE_CHECKING:
    import sqlite3

    from cai.store import RunStore
    from cai.validation.records import Choice
    from cai.validation.statistics.intervals import Interval

__all__ = ["checked", "read_decisions"]

_Verdict = Literal["good", "bad", "worse"]
_OTHER: dict[Choice, Choice] = {"first": "second", "second": "first"}


def read_decisions(store: RunStore) -> int:
    """Turn people's labels of the queue into decisions; returns how many there are.

    An adjudicator's word counts, or else the choice of more than half of those who chose. A tie and
    a skipped item decide nothing.
    """
    chosen = _chosen(store)
    lines = []
    for item, answer, edit, side in store.select(
        "SELECT item_id, answer_id, edit_id, side FROM feedback_items WHERE purpose = 'queue'"
    ):
        verdict = _verdict(_seen_from(chosen.get(item), side), single=not edit)
        if verdict is not None:
            lines.append((answer, edit, verdict))

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM feedback_decided")
        connection.executemany("INSERT OR REPLACE INTO feedback_decided VALUES (?, ?, ?)", lines)

    store.transact(work)
    return len(lines)


def checked(store: RunStore) -> dict[str, Interval]:
    """How often people agree with users on held-out rows, by `thumbs` and `edit`; where labelled.

    People see a single answer and call it good or not, or the answer and its edit in either order.
    """
    chosen = _chosen(store)
    right: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for item, said in store.select(
        "SELECT item_id, said FROM feedback_items WHERE purpose = 'check'"
    ):
        choice = chosen.get(item)
        what = "edit" if said == "edit" else "thumbs"
        if said == "edit" and choice in ("first", "second", "both_bad"):
            seen[what] += 1
            right[what] += choice == "second"
        elif said != "edit" and choice in ("first", "both_bad"):
            seen[what] += 1
            right[what] += (choice == "first") == (said == "up")
    return {what: wilson(right[what], n) for what, n in sorted(seen.items())}


def _chosen(store: RunStore) -> dict[str, Choice]:
    """What people say of each item, where they agree or an adjudicator has spoken."""
    labels = Labels(store)
    votes: dict[str, Counter[Choice]] = defaultdict(Counter)
    for (_, item), action in labels.current("label", "human").items():
        if action.annotation.choice not in (None, "skip"):
            votes[item][action.annotation.choice] += 1
    found: dict[str, Choice] = {}
    for item, counts in votes.items():
        choice, most = counts.most_common(1)[0]
        if 2 * most > counts.total():
            found[item] = choice
    for (_, item), action in labels.current("adjudicate", "human").items():
        if action.annotation.choice not in (None, "skip"):
            found[item] = action.annotation.choice
    return found


def _seen_from(choice: Choice | None, side: str) -> Choice | None:
    """A choice as it looks when the answer in question is the first of the pair."""
    if choice is None or side == "first":
        return choice
    return _OTHER.get(choice, choice)


def _verdict(choice: Choice | None, *, single: bool) -> _Verdict | None:
    """What a choice says of the answer: by itself, or beside a plain answer, or beside its edit."""
    if choice == "first":
        return "good"
    if choice == "second":
        return "worse" if single else "bad"
    return "bad" if choice == "both_bad" and single else None
