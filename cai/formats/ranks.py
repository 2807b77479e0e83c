"""Layouts that put the answers of a prompt on one scale: rankings and ratings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.formats.bradley_terry import Comparison, connected, strengths, win_rates
from cai.formats.writing import messages
from cai.hashing import short_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.formats.writing import Context
    from cai.records import Row

__all__ = ["write_rankings", "write_ratings"]

_UNCOMPARED = "no two answers of the prompt have a probability"


@dataclass(frozen=True, slots=True)
class _Scale:
    """Answers that hang together through comparisons, best first."""

    answers: tuple[str, ...]
    scores: tuple[float, ...]


def write_rankings(row: Row, context: Context) -> Iterator[dict[str, Any]]:
    """Answers best first, with their Bradley–Terry scores (mean zero, differences in log-odds).

    All pairs of the prompt that have a probability take part, ties as well. Answers that no chain
    of comparisons joins are in rankings of their own.
    """
    for scale in _scales(row, context):
        yield {
            "prompt": messages(row.prompt),
            "ranking": list(scale.answers),
            "scores": list(scale.scores),
            "id": short_id([row.prompt.id, "ranking", *scale.answers]),
            "prompt_id": row.prompt.id,
            "source": "ai",
            "tags": list(row.prompt.tags),
        }


def write_ratings(row: Row, context: Context) -> Iterator[dict[str, Any]]:
    """Each answer with its mean probability of beating the others of its ranking, from 0 to 1."""
    for scale in _scales(row, context):
        for text, rating in zip(scale.answers, win_rates(scale.scores), strict=True):
            yield {
                "prompt": messages(row.prompt),
                "answer": text,
                "rating": rating,
                "compared_with": len(scale.answers) - 1,
                "id": short_id([row.prompt.id, "rating", text]),
                "prompt_id": row.prompt.id,
                "source": "ai",
                "tags": list(row.prompt.tags),
            }


def _scales(row: Row, context: Context) -> Iterator[_Scale]:
    """The groups of compared answers. Two answers with one text are one answer."""
    index: dict[str, int] = {}
    comparisons = []
    for pair in row.pairs:
        if pair.p is not None and pair.first != pair.second:
            first, second = (index.setdefault(t, len(index)) for t in (pair.first, pair.second))
            comparisons.append(Comparison(first, second, pair.p))
    if not comparisons:
        context.left_out[_UNCOMPARED] += 1
    texts = list(index)
    for group in connected(comparisons):
        scores = dict(zip(group, strengths(comparisons, group), strict=True))
        # Rounded, so that equal scores stay in the order of the pairs on every machine.
        best = sorted(group, key=lambda i: -round(scores[i], 9))
        yield _Scale(tuple(texts[i] for i in best), tuple(scores[i] for i in best))
