"""What people are shown on the review page: the queue to decide, and a tenth to check.

They are items of a sampling plan in the store of the folder, so that `cai review FOLDER` serves
them as it serves the pairs of a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cai.feedback.record import Stored
from cai.records import Pair, load
from cai.validation.labels import Labels
from cai.validation.records import Item, SamplingPlan, Stratum, item_id
from cai.wording import counted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from cai.store import RunStore

__all__ = ["MOST_CHECKED", "MOST_QUEUED", "put_items"]

MOST_QUEUED = 2_000
"""Queued answers that are on the page at a time; those that are decided make room."""
MOST_CHECKED = 200
"""Held-out answers that people check, drawn by hash: ± 7 percentage points at most."""
_NOTES = 3
_NOTE = 300
"""Most notes of reports that are shown with an answer, and most characters of each."""

_GROUPED = "feedback JOIN prompts USING (prompt_id)"
_QUEUED = "fate = 'queue' AND feedback.why != 'personal data'"


@dataclass(frozen=True, slots=True)
class _Shown:
    """An item and the row that it stands for."""

    item: Item
    purpose: Literal["queue", "check"]
    answer_id: str
    edit_id: str
    side: Literal["first", "second"]
    said: str


def put_items(store: RunStore) -> tuple[int, int]:
    """Store a plan of what waits for people now; labels that were given stay.

    Returns:
        Items of the queue, and items to check.
    """
    shown = [*_queued_answers(store), *_queued_edits(store)]
    queue = {one.item.item_id: one.item for one in shown}
    (held_out,), *_ = store.select(
        "SELECT count(DISTINCT answer_id || coalesce(edit_id, '')) FROM feedback "
        "WHERE fate = 'held_out'"
    )
    checks = list(_checks(store, min(1.0, MOST_CHECKED / held_out) if held_out else 1.0))
    check = {one.item.item_id: one.item for one in checks if one.item.item_id not in queue}
    items = [*queue.values(), *check.values()]
    lines = [
        (o.item.item_id, o.purpose, o.answer_id, o.edit_id, o.side, o.said)
        for o in (*shown, *checks)
    ]

    def work(connection: sqlite3.Connection) -> None:
        connection.executemany(
            "INSERT OR REPLACE INTO feedback_items VALUES (?, ?, ?, ?, ?, ?)", lines
        )

    store.transact(work)
    plan = SamplingPlan(
        run_plan="feedback",
        seed=0,
        strata=(
            Stratum("queue", len(queue), len(queue)),
            Stratum("check", held_out, len(check)),
        ),
        groups=len({item.group_id for item in items}),
        annotators=1,
        overlap=0.0,
        repeats=0.0,
        ask_refusals=False,
        goal=f"Feedback: {counted(len(queue), 'queued answer')} to decide, "
        f"{len(check):,} of {held_out:,} held-out ones to check.",
    )
    Labels(store).put_plan(plan, items)
    return len(queue), len(check)


def _queued_answers(store: RunStore) -> Iterator[_Shown]:
    for answer, group, record, reasons, neutral in store.select(
        "SELECT feedback.answer_id, min(group_id), min(feedback.record), "
        "group_concat(DISTINCT feedback.why), max(coalesce(neutral, '')) "
        f"FROM {_GROUPED} LEFT JOIN feedback_judged j ON j.answer_id = feedback.answer_id "
        "AND j.conflict AND feedback.why = 'the constitution disagrees' "
        f"WHERE {_QUEUED} AND kind != 'edit' "
        "GROUP BY feedback.answer_id ORDER BY min(draw) LIMIT ?",
        MOST_QUEUED,
    ):
        kept = load(Stored, record)
        about = _about(store, answer, reasons.split(","))
        item = _item(kept, neutral, group, "queue", about)
        yield _Shown(item, "queue", answer, "", "first", "")


def _about(store: RunStore, answer: str, reasons: list[str]) -> str:
    """Why people are asked, and what those wrote who flagged the answer."""
    told = [f"{reason[:1].upper()}{reason[1:]}." for reason in sorted(reasons)]
    for (record,) in store.select(
        f"SELECT record FROM feedback WHERE answer_id = ? AND kind = 'report' AND {_QUEUED} "
        "ORDER BY draw LIMIT ?",
        answer,
        _NOTES,
    ):
        kept = load(Stored, record)
        note = kept.note if len(kept.note) <= _NOTE else f"{kept.note[: _NOTE - 1]}…"
        told.append(f"{kept.value}: {note}" if note else f"{kept.value}.")
    return " ".join(told)


def _queued_edits(store: RunStore) -> Iterator[_Shown]:
    for answer, edit, group, record in store.select(
        f"SELECT answer_id, edit_id, min(group_id), min(feedback.record) FROM {_GROUPED} "
        f"WHERE {_QUEUED} AND kind = 'edit' GROUP BY answer_id, edit_id ORDER BY min(draw) LIMIT ?",
        MOST_QUEUED,
    ):
        kept = load(Stored, record)
        # Both directions of an edit are one item: its two texts in the order of their ids.
        first, second = kept.answer, kept.value
        turned = edit < answer
        kept_first, other = (second, first) if turned else (first, second)
        item = _item(kept, other, group, "queue", "Users edited this both ways.", kept_first)
        yield _Shown(item, "queue", answer, edit, "second" if turned else "first", "")


def _checks(store: RunStore, inclusion: float) -> Iterator[_Shown]:
    """Held-out answers and edits. Nothing is said of why: what users said must not be known."""
    for answer, edit, value, group, record in store.select(
        "SELECT answer_id, coalesce(edit_id, ''), min(value), min(group_id), min(feedback.record) "
        f"FROM {_GROUPED} WHERE fate = 'held_out' GROUP BY answer_id, coalesce(edit_id, '') "
        "ORDER BY min(draw) LIMIT ?",
        MOST_CHECKED,
    ):
        kept = load(Stored, record)
        other = kept.value if kept.kind == "edit" else ""
        item = _item(kept, other, group, "check", inclusion=inclusion)
        yield _Shown(item, "check", answer, edit, "first", value or "edit")


def _item(
    kept: Stored,
    other: str,
    group: str,
    stratum: str,
    about: str = "",
    first: str | None = None,
    inclusion: float = 1.0,
) -> Item:
    answer = kept.answer if first is None else first
    pair = Pair(kept.prompt.id, "samples", answer, other, "", "")
    return Item(
        item_id(pair.id),
        kept.prompt,
        pair,
        group,
        stratum,
        inclusion,
        shared=stratum == "check",
        about=about,
    )
