"""Principles that say the same as another one (C101, C102)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.constitution.lint.alike import SIMILAR, alike, grams, plain
from cai.constitution.lint.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.constitution.principle import Principle

__all__ = ["repeats"]

_KEYS = ("text", "judge")
"""What is compared. Requests for critiques and rewrites may well be the same in many principles."""
_TWICE = "Its subject is then drawn twice as often, and nothing new is judged."


def repeats(principles: Sequence[Principle]) -> Iterator[Finding]:
    """At most one finding for each principle, about the earlier one that it is most like.

    Args:
        principles: sorted by id.
    """
    said: dict[tuple[str, str], str] = {}
    seen: list[tuple[str, dict[str, frozenset[str]]]] = []
    for p in principles:
        texts = {key: getattr(p, key) for key in _KEYS if getattr(p, key).strip()}
        found = {key: grams(text) for key, text in texts.items()}
        same = [
            (key, said[key, plain(text)]) for key, text in texts.items() if _in(said, key, text)
        ]
        if same:
            yield _same(p.id, same)
        else:
            yield from _near(p.id, found, seen)
        for key, text in texts.items():
            said.setdefault((key, plain(text)), p.id)
        seen.append((p.id, found))


def _in(said: dict[tuple[str, str], str], key: str, text: str) -> bool:
    return (key, plain(text)) in said


def _same(principle_id: str, same: Sequence[tuple[str, str]]) -> Finding:
    parts = [f"'{key}' says the same, word for word, as in '{other}'" for key, other in same]
    return Finding(
        "C101",
        "error",
        principle_id,
        f"{' and '.join(parts)}: 100% alike. {_TWICE}",
        "Remove one of the two, or write what sets them apart.",
        same[0][0],
    )


def _near(
    principle_id: str,
    found: dict[str, frozenset[str]],
    seen: Sequence[tuple[str, dict[str, frozenset[str]]]],
) -> Iterator[Finding]:
    likeness, other, key = max(
        (
            (alike(runs, before[key], SIMILAR), other, key)
            for other, before in seen
            for key, runs in found.items()
            if key in before
        ),
        default=(0.0, "", ""),
    )
    if likeness >= SIMILAR:
        yield Finding(
            "C102",
            "warning",
            principle_id,
            f"'{key}' says nearly the same as in '{other}': {min(likeness, 0.99):.0%} alike by "
            f"their words, whatever the order. {_TWICE}",
            "Drop one of the two, or make clear how they differ.",
            key,
        )
