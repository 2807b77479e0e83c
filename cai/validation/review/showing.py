"""How an item is shown in a browser, and what the answer means for the pair.

The browser is told of two texts, A and B: no verdict, no names, and not which of them is the first
of the pair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from cai.hashing import unit_interval
from cai.validation.records import Annotation

if TYPE_CHECKING:
    from cai.validation.records import Choice, Item
    from cai.validation.review.forms import ActionForm
    from cai.validation.review.keys import Keys
    from cai.validation.review.queue import Turn

__all__ = [
    "PREVIEW",
    "Shown",
    "full_text",
    "is_swapped",
    "showing",
    "shown_choice",
    "shown_side",
    "to_annotation",
]

PREVIEW = 20_000
"""Most characters of a text that are sent at first; the browser asks for more."""

Shown = Literal["a", "b", "tie", "both_bad", "skip"]

_PLAIN: dict[Shown, Choice] = {
    "a": "first",
    "b": "second",
    "tie": "tie",
    "both_bad": "both_bad",
    "skip": "skip",
}
_SWAPPED: dict[Shown, Choice] = {**_PLAIN, "a": "second", "b": "first"}


def is_swapped(seed: int, annotator_id: str, item: Item) -> bool:
    """Whether this annotator sees the second answer of the pair as A; a single answer is A."""
    return not item.single and unit_interval(seed, annotator_id, item.item_id) < 0.5


def showing(turn: Turn, annotator_id: str, seed: int, keys: Keys) -> dict[str, Any]:
    """The item as JSON for the browser."""
    item = turn.item
    swapped = is_swapped(seed, annotator_id, item)
    a, b = _sides(item, swapped)
    return {
        "item_id": item.item_id,
        "role": turn.role,
        "ticket": keys.ticket(turn.role, annotator_id, item.item_id, swapped),
        "messages": [{"role": m.role, **_preview(m.content)} for m in item.prompt.messages],
        "a": _preview(a),
        "b": None if item.single else _preview(b),
        **({"about": item.about} if item.about else {}),
    }


def full_text(item: Item, part: str, swapped: bool) -> str | None:
    """The whole of answer `a` or `b`, or of a turn, named by its number; None if there is none."""
    if part in ("a", "b"):
        return _sides(item, swapped)[part == "b"]
    if (
        part.isascii()
        and part.isdigit()
        and len(part) < 6
        and int(part) < len(item.prompt.messages)
    ):
        return item.prompt.messages[int(part)].content
    return None


def to_annotation(form: ActionForm, swapped: bool) -> Annotation:
    """What an answer given in the browser says of the pair."""
    if form.choice is None:
        return Annotation(None, swapped=swapped)
    refuses = (form.a_refuses, form.b_refuses)
    first_refuses, second_refuses = refuses[::-1] if swapped else refuses
    return Annotation(
        (_SWAPPED if swapped else _PLAIN)[form.choice],
        swapped=swapped,
        confidence=form.confidence,
        principle_id=form.principle_id,
        note=form.note.strip(),
        flagged=form.flagged,
        first_refuses=first_refuses,
        second_refuses=second_refuses,
        seconds=form.seconds,
    )


def shown_choice(annotation: Annotation, swapped: bool) -> dict[str, Any]:
    """An annotation as it looks to someone who sees the pair swapped or not."""
    refuses = (annotation.first_refuses, annotation.second_refuses)
    a_refuses, b_refuses = refuses[::-1] if swapped else refuses
    return {
        "choice": shown_side(annotation.choice, swapped) if annotation.choice else None,
        "confidence": annotation.confidence,
        "principle_id": annotation.principle_id,
        "note": annotation.note,
        "flagged": annotation.flagged,
        "a_refuses": a_refuses,
        "b_refuses": b_refuses,
    }


def shown_side(choice: Choice, swapped: bool) -> Shown:
    """A choice as it looks to someone who sees the pair swapped or not."""
    return next(s for s, c in (_SWAPPED if swapped else _PLAIN).items() if c == choice)


def _sides(item: Item, swapped: bool) -> tuple[str, str]:
    pair = item.pair
    return (pair.second, pair.first) if swapped else (pair.first, pair.second)


def _preview(text: str) -> dict[str, Any]:
    return {"text": text[:PREVIEW], "length": len(text)}
