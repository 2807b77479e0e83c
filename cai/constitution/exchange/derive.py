"""Wordings that a foreign file does not have, made by fixed patterns and marked as such.

`text` is always made where it is missing, because no principle is without one. It calls an answer
good when the author's own request would change nothing about it:

| from | `text` |
| --- | --- |
| `revise` | The answer leaves nothing to change for this request: REVISE |
| `critique`, without `revise` | A critic who is asked this finds nothing in the answer: CRITIQUE |

The others are made on demand alone. A pattern that would make a wording too long is passed over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cai.constitution.exchange.source import LONGEST

if TYPE_CHECKING:
    from cai.constitution.exchange.draft import Entry

__all__ = ["completed", "with_text"]

_TEXT_FROM_REVISE = "The answer leaves nothing to change for this request: {}"
_TEXT_FROM_CRITIQUE = "A critic who is asked this finds nothing in the answer: {}"
_CRITIQUE = 'Point out where the answer fails to follow the rule "{}"'
_REVISE = 'Rewrite the answer so that it follows the rule "{}"'
_JUDGE = 'Which answer better follows the rule "{}"?'
_JUDGE_FROM_REVISE = 'Which answer leaves less to change for the request "{}"?'


def with_text(entry: Entry) -> tuple[Entry, str]:
    """The entry with a text, and from which wording that was made; empty where it had one."""
    if entry.text:
        return entry, ""
    pattern, field = _TEXT_FROM_REVISE, "revise"
    if not entry.revise:
        pattern, field = _TEXT_FROM_CRITIQUE, "critique"
    worded: str = getattr(entry, field)
    # Too long for the pattern, the wording has to do as it is.
    return replace(entry, text=_filled(pattern, worded) or worded), field


def completed(entry: Entry, text_from: str) -> tuple[Entry, tuple[str, ...]]:
    """The entry with generic wordings where it has none, and which of them are generic.

    Args:
        entry: with a text.
        text_from: what `with_text` made the text from.
    """
    critique = entry.critique or _filled(_CRITIQUE, entry.text)
    revise = entry.revise or _filled(_REVISE, entry.text)
    judge = entry.judge
    if not judge and text_from == "revise":
        judge = _filled(_JUDGE_FROM_REVISE, entry.revise)
    elif not judge:
        judge = _filled(_JUDGE, entry.text)
    whole = replace(entry, critique=critique, revise=revise, judge=judge)
    fields = ("critique", "revise", "judge")
    return whole, tuple(f for f in fields if getattr(whole, f) != getattr(entry, f))


def _filled(pattern: str, worded: str) -> str:
    filled = pattern.replace("{}", worded)
    return filled if len(filled) <= LONGEST else ""
