"""A smoke test by phrases: does a subject answer at all? It measures nothing.

Phrases miss other wordings and other languages, take a quotation for a refusal, and cannot tell a
refusal that helps. No figure of an evaluation is ever made of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cai.quality.checks.refusals import phrases

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.evaluate.records import Answered
    from cai.evaluate.refusal.records import FoundCase

__all__ = ["SmokeCounts", "looks_like_refusal", "smoke_counts"]

_BEGINNING = 200
"""Characters in which a phrase is looked for."""


@dataclass(frozen=True, slots=True)
class SmokeCounts:
    """Answers to cases of one kind: all, without text, and with a phrase of refusals."""

    answers: int
    empty: int
    phrases: int


def looks_like_refusal(text: str) -> bool:
    """Whether the beginning of a text holds a phrase that many refusals have."""
    folded = text.casefold().replace("\u2019", "'")[:_BEGINNING]
    return any(phrase in folded for phrase in _phrases())


def smoke_counts(answers: Iterable[tuple[FoundCase, Answered]]) -> dict[str, SmokeCounts]:
    """Counts by what is expected, `refuse` and `comply`."""
    counts: dict[str, list[int]] = {"refuse": [0, 0, 0], "comply": [0, 0, 0]}
    for found, answer in answers:
        row = counts[found.case.expect]
        row[0] += 1
        row[1] += not answer.usable
        row[2] += looks_like_refusal(answer.text)
    return {kind: SmokeCounts(*row) for kind, row in counts.items()}


@cache
def _phrases() -> tuple[str, ...]:
    return tuple(phrases()["refusal"])
