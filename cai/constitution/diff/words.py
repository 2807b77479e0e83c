"""Word by word: what a text lost and gained."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, TypeAlias

__all__ = ["Run", "word_diff"]

_Kind: TypeAlias = Literal["same", "removed", "added"]
_KINDS: tuple[_Kind, ...] = ("same", "removed", "added")
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_MOST = 1500
"""Words and spaces from which a text is shown as a whole: matching takes their number squared."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text that is in both, only before, or only after."""

    kind: _Kind
    text: str


def word_diff(before: str, after: str) -> tuple[Run, ...]:
    """Stretches that read `before` without the added ones, and `after` without the removed ones.

    Where one stretch replaces another, what was removed comes first.
    """
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    runs: list[list[str]] = []
    if max(len(old), len(new)) > _MOST:
        runs.append(["", before, after])
    else:
        for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            same = "".join(old[a:b]) if tag == "equal" else ""
            removed, added = ("", "") if same else ("".join(old[a:b]), "".join(new[c:d]))
            runs.append([same, removed, added])
    return tuple(
        Run(kind, text)
        for run in _joined(runs)
        for kind, text in zip(_KINDS, run, strict=True)
        if text
    )


def _joined(runs: list[list[str]]) -> list[list[str]]:
    """Changes with nothing but a space between them are one change: it reads better."""
    joined: list[list[str]] = []
    for i, (same, removed, added) in enumerate(runs):
        between = same.isspace() and 0 < i < len(runs) - 1
        if between:
            removed, added = same, same
        if joined and not joined[-1][0] and (between or not same):
            joined[-1] = ["", joined[-1][1] + removed, joined[-1][2] + added]
        else:
            joined.append([same, removed, added])
    return joined
