"""How far an annotator is, and how fast."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cai.validation.records import Annotator, Role
    from cai.validation.review.queue import Work
    from cai.validation.review.run import Review

__all__ = ["pace", "progress"]

_RECENT = 30
"""So many labels tell the pace: people get faster, and the last ones predict the next ones."""


def progress(review: Review, annotator: Annotator, role: Role, work: Work) -> dict[str, Any]:
    """What the browser draws of it, as JSON."""
    return {
        "done": work.done,
        "total": work.total,
        "practice_done": work.practice_done,
        "practice_total": work.practice_total,
        "others": work.others,
        "median_seconds": pace(review, annotator, role),
    }


def pace(review: Review, annotator: Annotator, role: Role = "label") -> float | None:
    """Median seconds of the last labels; None without any."""
    entries = review.ledger.of_annotator(role, annotator.id).values()
    seconds = [e.annotation.seconds for e in entries if e.annotation.seconds is not None]
    return round(median(seconds[-_RECENT:]), 1) if seconds else None
