"""What becomes of each row: trained on, kept for people, or left out, and why.

It is a function of the stored rows, of what the judge and people said, and of the settings. The
order of files and of their lines decides nothing but the split of near-duplicate prompts. All is
done inside SQLite, so memory does not grow with the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from cai.feedback.settings import Settings
    from cai.store import RunStore

__all__ = ["FATES", "OUTVOTED", "Fate", "sort_rows", "sorted_counts"]

Fate = Literal["train", "dev", "held_out", "decided", "queue", "left_out"]
FATES: dict[Fate, str] = {
    "train": "to train on",
    "dev": "for calibration and early stopping",
    "held_out": "held out, for people to check",
    "decided": "decided by people",
    "queue": "waits for people",
    "left_out": "left out",
}

OUTVOTED = 0.1
"""Share of the votes on an answer below which the fewer ones are left out; from it on, users
contradict each other."""

_OPEN = "fate = ''"


def sort_rows(store: RunStore, settings: Settings) -> None:
    """Give every row its fate anew, all of them or none."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE feedback SET fate = '', why = ''")
        for rule in _rules(settings):
            connection.execute(
                f"UPDATE feedback SET fate = ?, why = ? WHERE {rule.condition}",
                (rule.fate, rule.why, *rule.values),
            )

    store.transact(work)


def sorted_counts(store: RunStore) -> Iterator[tuple[Fate, str, str, int]]:
    """Yield fate, reason, kind and how many rows, the largest first within a fate."""
    order = " ".join(f"WHEN '{fate}' THEN {place}" for place, fate in enumerate(FATES))
    yield from store.select(
        "SELECT fate, why, kind, count(*) FROM feedback GROUP BY fate, why, kind "
        f"ORDER BY CASE fate {order} END, count(*) DESC, why, kind"
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which rows get a fate; a row keeps the first that it gets.

    `condition` is SQL with `values`. Decisions are the exception: they take rows of the queue.
    """

    fate: Fate
    why: str
    condition: str
    values: tuple[object, ...] = ()


def _rules(settings: Settings) -> Iterator[_Rule]:
    if settings.need_consent:
        yield _Rule("left_out", "no consent", f"{_OPEN} AND consent = 0")
    yield _superseded()
    yield _Rule(
        "left_out",
        "the edit changes nothing",
        f"{_OPEN} AND kind = 'edit' AND edit_id = answer_id",
    )
    if not settings.keep_personal:
        yield _Rule("queue", "personal data", f"{_OPEN} AND personal != ''")
    yield _Rule("queue", "reported", f"{_OPEN} AND kind = 'report'")
    yield from _contradictions()
    yield _Rule(
        "held_out",
        "held-out prompt",
        f"{_OPEN} AND prompt_id IN ({_in_split('held_out')})",
    )
    yield _Rule(
        "left_out",
        "resembles prompts of two splits",
        f"{_OPEN} AND prompt_id IN ({_in_split('quarantine')})",
    )
    yield _cap("session", settings.per_session)
    yield _cap("user", settings.per_user)
    yield _Rule(
        "queue",
        "the constitution disagrees",
        f"{_OPEN} AND value = 'up' AND answer_id IN "
        "(SELECT answer_id FROM feedback_judged WHERE conflict)",
    )
    yield from _decisions()
    yield _Rule("dev", "", f"{_OPEN} AND prompt_id IN ({_in_split('dev')})")
    yield _Rule("train", "", _OPEN)


def _superseded() -> _Rule:
    """Whoever changes their mind about an answer has the last word; reports are no votes."""
    ranked = (
        "SELECT row_id, row_number() OVER (PARTITION BY user, answer_id, kind "
        f"ORDER BY time DESC, draw, row_id) AS place FROM feedback WHERE {_OPEN} "
        "AND kind != 'report'"
    )
    return _Rule(
        "left_out",
        "the same user said something later",
        f"row_id IN (SELECT row_id FROM ({ranked}) WHERE place > 1)",
    )


def _contradictions() -> Iterator[_Rule]:
    votes = f"SELECT answer_id FROM feedback WHERE {_OPEN} AND kind = 'thumbs' GROUP BY answer_id"
    both = f"{votes} HAVING min(sum(value = 'up'), sum(value = 'down')) >= ? * count(*)"
    yield _Rule(
        "queue",
        "users contradict each other",
        f"{_OPEN} AND kind = 'thumbs' AND answer_id IN ({both})",
        (OUTVOTED,),
    )
    for value, other in (("up", "down"), ("down", "up")):
        many = f"{votes} HAVING sum(value = '{other}') > sum(value = '{value}')"
        yield _Rule(
            "left_out",
            "outvoted by nine to one or more",
            f"{_OPEN} AND value = '{value}' AND answer_id IN ({many})",
        )
    yield _Rule(
        "queue",
        "liked and reported",
        f"{_OPEN} AND value = 'up' AND answer_id IN "
        "(SELECT answer_id FROM feedback WHERE kind = 'report' AND fate = 'queue')",
    )
    yield _Rule(
        "queue",
        "edited both ways",
        f"{_OPEN} AND kind = 'edit' AND EXISTS (SELECT 1 FROM feedback f WHERE f.kind = 'edit' "
        "AND f.fate IN ('', 'queue') AND f.answer_id = feedback.edit_id "
        "AND f.edit_id = feedback.answer_id)",
    )


def _cap(what: Literal["session", "user"], most: int) -> _Rule:
    """Drawn by hash: neither who came first nor who said most decides, and a larger cap adds."""
    ranked = (
        f"SELECT row_id, row_number() OVER (PARTITION BY {what} ORDER BY draw, row_id) AS place "
        f"FROM feedback WHERE {_OPEN}"
    )
    return _Rule(
        "left_out",
        f"more than {most} of one {what}",
        f"row_id IN (SELECT row_id FROM ({ranked}) WHERE place > ?)",
        (most,),
    )


def _decisions() -> Iterator[_Rule]:
    """People's words on the review page; personal data are not for the page to settle."""
    queued = "fate = 'queue' AND why != 'personal data'"
    for verdict, why in (("good", "good"), ("bad", "bad"), ("worse", "worse than a plain answer")):
        yield _Rule(
            "decided",
            f"people: {why}",
            f"{queued} AND kind != 'edit' AND answer_id IN (SELECT answer_id FROM "
            "feedback_decided WHERE edit_id = '' AND verdict = ?)",
            (verdict,),
        )
    for verdict, why in (("bad", "the edit is better"), ("good", "the answer is better")):
        yield _Rule(
            "decided",
            f"people: {why}",
            f"{queued} AND kind = 'edit' AND EXISTS (SELECT 1 FROM feedback_decided d WHERE "
            "d.answer_id = feedback.answer_id AND d.edit_id = feedback.edit_id AND d.verdict = ?)",
            (verdict,),
        )


def _in_split(split: str) -> str:
    return f"SELECT prompt_id FROM prompts JOIN groups USING (group_id) WHERE split = '{split}'"
