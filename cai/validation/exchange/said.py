"""From the words of a file to an annotation, or one error that says where and why not."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from cai.errors import nearest
from cai.intake.rows import broken
from cai.validation.exchange.showing import swapped_by
from cai.validation.records import CHOICES, Annotation

if TYPE_CHECKING:
    from collections.abc import Collection

    from cai.intake.rows import Place
    from cai.validation.records import Choice

__all__ = ["Said", "annotation_of", "moment_of", "word"]

_SHOWN = ("a", "b", "tie", "both_bad", "skip")
"""Choices of someone who saw the answers as A and B."""

_REFUSES = ("a", "b", "both", "none")
_CONFIDENCES = ("1", "2", "3")

_AHEAD = 86_400.0
"""Most seconds that the clock of another machine may be ahead."""


@dataclass(frozen=True, slots=True)
class Said:
    """A label in the words of the file that it was read from; empty is what the file lacks.

    With `key` the answers were shown as A and B; without, they are called first and second.
    """

    place: Place
    item_id: str
    annotator: str
    choice: str
    key: str = ""
    confidence: str = ""
    principle: str = ""
    note: str = ""
    refuses: str = ""
    flagged: bool = False
    seconds: Any = None
    made: Any = None


def word(value: Any) -> str:
    """A value of a cell or of JSON as one word: lower case, `both bad` as `both_bad`."""
    return "_".join(str("" if value is None else value).lower().replace("-", " ").split())


def annotation_of(said: Said, principles: Collection[str]) -> Annotation:
    """Read a label.

    Args:
        said: the label.
        principles: ids of the run's principles; empty when they are not known.

    Raises:
        InputError: a word is none of those that are allowed.
    """
    swapped = _swapped(said)
    a, b = _refusals(said)
    return Annotation(
        choice=_choice(said, swapped),
        swapped=bool(swapped),
        confidence=_confidence(said),
        principle_id=_principle(said, principles),
        note=said.note.strip(),
        flagged=said.flagged,
        first_refuses=b if swapped else a,
        second_refuses=a if swapped else b,
        seconds=_number(said.seconds, said.place),
    )


def moment_of(value: Any, place: Place) -> float | None:
    """Unix seconds of a time in a file: a number, or ISO 8601 (UTC when it names no zone).

    Raises:
        InputError: it is neither, or more than a day after now.
    """
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(str(value)) if _is_text(value) else None
    except ValueError:
        moment = None
    if moment is None:
        seconds = _number(value, place)
    else:
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if seconds is not None and seconds > time.time() + _AHEAD:
        raise broken(
            place,
            f"the time {str(value)[:40]!r}, which is more than a day from now",
            "seconds since 1970, or a moment such as 2026-01-31T12:00:00Z, up to now",
            "Divide milliseconds by 1000, correct the time, or leave it out.",
        )
    return seconds


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not value.replace(".", "", 1).isdigit()


def _swapped(said: Said) -> bool | None:
    if not said.key:
        return None
    swapped = swapped_by(said.item_id, said.key)
    if swapped is None:
        raise broken(
            said.place,
            f"the key '{said.key:.40}', which does not belong to the item {said.item_id}",
            "the key that the export gave to this item: it says which answer was A",
            "Restore the item's id and key from the export, or import the tool's own file.",
        )
    return swapped


def _choice(said: Said, swapped: bool | None) -> Choice:
    """The choice in the pair's own terms; `swapped` None when the file names them itself."""
    allowed: tuple[str, ...] = CHOICES if swapped is None else _SHOWN
    got = said.choice
    if got not in allowed:
        raise broken(
            said.place,
            f"the choice '{got:.40}'",
            ", ".join(allowed),
            _advice(got, swapped) or f"Write one of these.{nearest(got, allowed)}",
        )
    if got in ("a", "b"):
        return "first" if (got == "a") is not swapped else "second"
    return cast("Choice", got)


def _advice(got: str, swapped: bool | None) -> str:
    if swapped is None and got in ("a", "b"):
        return "Keep the column 'key' of the export: without it nobody knows which answer was A."
    if swapped is not None and got in ("first", "second"):
        return "This file shows the answers as A and B: write 'a' or 'b'."
    return ""


def _confidence(said: Said) -> Literal[1, 2, 3] | None:
    got = said.confidence.removesuffix(".0")
    if not got:
        return None
    if got not in _CONFIDENCES:
        raise broken(
            said.place,
            f"the confidence '{said.confidence:.40}'",
            "1 (guess), 2 (fairly sure), 3 (certain), or nothing",
            "Write one of these numbers.",
        )
    return cast("Literal[1, 2, 3]", int(got))


def _principle(said: Said, principles: Collection[str]) -> str:
    got = said.principle.strip()
    if got and principles and got not in principles:
        raise broken(
            said.place,
            f"the principle '{got:.60}'",
            "ids of the run's constitution: " + ", ".join(sorted(principles)),
            f"Write one of these, or nothing.{nearest(got, principles)}",
        )
    return got


def _refusals(said: Said) -> tuple[bool | None, bool | None]:
    """Whether A and B (or first and second) refuse; None when nothing was said."""
    found = [part for part in said.refuses.replace(",", " ").replace("_", " ").split() if part]
    if not found:
        return None, None
    letters = {"first": "a", "second": "b"}
    named = {letters.get(part, part) for part in found}
    if not named <= set(_REFUSES) or ("none" in named and len(named) > 1):
        raise broken(
            said.place,
            f"refuses: '{said.refuses:.40}'",
            "a, b, both or none",
            "Name the answers that refuse.",
        )
    return bool(named & {"a", "both"}), bool(named & {"b", "both"})


def _number(value: Any, place: Place) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0.0:
        raise broken(
            place,
            f"the time {str(value)[:40]!r}",
            "seconds, or a moment such as 2026-01-31T12:00:00Z",
            "Correct it or leave it out.",
        )
    return number
