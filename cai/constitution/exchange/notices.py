"""Warnings about what an import made, lacks, or should be looked at."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from cai.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.constitution.exchange.principles import Taken

__all__ = ["notices"]

_UNDRAWN = {
    "critique": "not drawn for revisions",
    "revise": "not drawn for revisions",
    "judge": "not drawn for comparisons",
}
_WORDINGS = ("text", "critique", "revise", "judge")
_SHOWN = 8
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""Signs that hide text or turn it round; joiners, which some scripts and emoji need, are none."""


def notices(taken: Sequence[Taken]) -> Iterator[str]:
    """Yield what whoever imports should know, each as a sentence or two."""
    made = Counter(one.text_from for one in taken if one.text_from)
    for source, count in made.items():
        yield (
            f"{counted(count, 'principle')} with a 'text' made from '{source}' by a fixed pattern. "
            "Reword it."
        )
    generic = Counter(field for one in taken for field in one.generic)
    for field, count in generic.items():
        yield f"{counted(count, 'principle')} with a generic '{field}'. Reword it."
    for field, effect in _UNDRAWN.items():
        count = sum(not getattr(one.principle, field) for one in taken)
        if count:
            yield (
                f"{counted(count, 'principle')} without '{field}': {effect}. Write one, or let "
                "--complete write a generic one."
            )
    opposed = [
        one.principle.id
        for one in taken
        if one.entry.votes and one.entry.votes.disagreed > one.entry.votes.agreed
    ]
    if opposed:
        yield (
            f"{counted(len(opposed), 'principle')} chose the other answer more often than not: "
            f"{_some(opposed)}. Whoever chose wanted the opposite; leave it out, or turn it round."
        )
    hidden = [
        one.principle.id
        for one in taken
        if any(_INVISIBLE.search(getattr(one.principle, field)) for field in _WORDINGS)
    ]
    if hidden:
        yield (
            "Invisible characters, which can hide text from people and not from models, in: "
            f"{_some(hidden)}. Look at the file closely."
        )


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return f"{listed(ids[:_SHOWN])}{more}"
