"""The wordings of a principle, and the pieces that rules about words look at. They know English."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.constitution.principle import Principle

__all__ = ["LONGEST", "NEGATIVE", "clauses", "excused", "statements", "wordings"]

LONGEST = {"text": 30, "critique": 30, "revise": 30, "judge": 25}
"""Most words that a model of about a billion parameters still follows as a whole."""

NEGATIVE = re.compile(
    r"\b(never|no|not|avoids?|avoiding|refuses?|refrains?|cannot|\w+n['\u2019]t)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.;:!?]+|,?\s+\b(?:but|instead|rather|yet)\b|,\s+and\b", re.IGNORECASE)
_BARRED = re.compile(
    r"\b(no|not|never|neither|nor|without|avoids?|avoiding|against|free\s+of|rather\s+than"
    r"|instead\s+of|in\s+place\s+of|less|fewer|least|remov\w+|drops?|cuts?|leav\w+\s+out"
    r"|stops?|refrains?|phrases?|cannot|\w+n['\u2019]t)\b",
    re.IGNORECASE,
)
_GONE = re.compile(
    r"\b(gone|removed|dropped|cut|left\s+out|missing)\b|^\s*(less|fewer|rarely|seldom)\b",
    re.IGNORECASE,
)


def wordings(principle: Principle) -> dict[str, str]:
    """The wordings that a principle has, by key."""
    found = {key: getattr(principle, key) for key in LONGEST}
    return {key: wording for key, wording in found.items() if wording.strip()}


def statements(principle: Principle) -> Iterator[tuple[str, str]]:
    """Texts other than the wordings that a model is shown as they are, with where they stand."""
    for i, proposition in enumerate(principle.propositions):
        yield f"propositions.{i}.text", proposition.text
    for i, level in enumerate(principle.rubric):
        yield f"rubric.{i}.text", level.text


def clauses(text: str) -> list[str]:
    """A text cut at its punctuation, and before `but`, `instead` and the like."""
    return [clause.strip() for clause in _CLAUSE.split(text) if clause.strip()]


def excused(found: re.Match[str]) -> bool:
    """Whether words stand in a clause that is against them: `without a lecture`, `never reminds`.

    Args:
        found: a match within a whole wording.
    """
    text = found.string
    # From the start of the cut, which may be the first word of `instead of`.
    begin = max((cut.start() for cut in _CLAUSE.finditer(text, 0, found.start())), default=0)
    end = _CLAUSE.search(text, found.end())
    after = text[found.end() : end.start() if end else None]
    return bool(_BARRED.search(text[begin : found.start()]) or _GONE.search(after))
