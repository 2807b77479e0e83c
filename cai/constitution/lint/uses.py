"""What a principle lacks in order to be used, and to be understood later (C301 to C304)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.constitution.lint.finding import Finding
from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cai.constitution.principle import Principle

__all__ = ["bare", "comparisons", "revisions"]

_QUESTION = "Add 'judge: Which answer ...?'"


def comparisons(principles: Sequence[Principle]) -> Iterator[Finding]:
    """C301: an error where no principle can be judged by, else a warning for each that cannot.

    Propositions and rubrics are judged by in modes of their own, without a question.
    """
    silent = [p for p in principles if not (p.judge.strip() or p.propositions or p.rubric)]
    if silent and len(silent) == len(principles):
        yield Finding(
            "C301",
            "error",
            "",
            "No principle has a 'judge' question, so no pair can be compared under one of them.",
            f"{_QUESTION}, or set judge.scope: constitution in the config, which shows the texts.",
            "principles",
        )
        return
    for p in silent:
        yield Finding(
            "C301",
            "warning",
            p.id,
            "There is no 'judge' question, so it is not drawn for comparisons and shapes no label.",
            f"{_QUESTION}.",
        )


def revisions(principles: Sequence[Principle]) -> Iterator[Finding]:
    """C302: one warning where no principle can be revised under, else one for each that cannot."""
    lacking = {
        p.id: [key for key in ("critique", "revise") if not _has(p, key)] for p in principles
    }
    silent = {one: keys for one, keys in lacking.items() if keys}
    if silent and len(silent) == len(principles):
        yield Finding(
            "C302",
            "warning",
            "",
            "No principle has both a 'critique' and a 'revise' request, so no answer can be "
            "revised: only judging is possible.",
            "Write both, or set loop.rounds: 0 in the config.",
            "principles",
        )
        return
    for one, keys in silent.items():
        yield Finding(
            "C302",
            "warning",
            one,
            f"There is no {' and no '.join(repr(key) for key in keys)}, so it is not drawn for "
            "revisions.",
            f"Write {listed(repr(key) for key in keys)}.",
        )


def bare(principle: Principle) -> Iterator[Finding]:
    """C303 and C304."""
    if not (principle.note.strip() or principle.source.strip()):
        yield Finding(
            "C303",
            "warning",
            principle.id,
            "There is no 'note' and no 'source'. Later readers cannot tell where the principle "
            "comes from.",
            "Add a note: its source, and why it is worded so.",
        )
    if not principle.tags:
        yield Finding(
            "C304",
            "warning",
            principle.id,
            "There are no 'tags'. Reports by subject will leave this principle out.",
            "Add at least one tag, for example the subject.",
        )


def _has(principle: Principle, key: str) -> bool:
    wording: str = getattr(principle, key)
    return bool(wording.strip())
