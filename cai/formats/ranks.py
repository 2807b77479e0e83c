"""The answers of a prompt on one scale, and the layouts made of it: rankings and ratings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cai.formats.bradley_terry import Comparison, connected, strengths, win_rates
from cai.formats.writing import messages
from cai.hashing import short_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cai.formats.writing import Context
    from cai.records import Pair, Row

__all__ = ["Ranking", "rank", "ranking", "write_rankings", "write_ratings"]

_UNCOMPARED = "no two answers of the prompt have a probability"


@dataclass(frozen=True, slots=True)
class Ranking:
    """Answers that hang together through comparisons, best first, and their scores.

    The scores are Bradley–Terry strengths: mean zero, differences in log-odds. Seen through pairs,
    the model of rankings by Plackett and Luce is the same one.
    """

    answers: tuple[str, ...]
    scores: tuple[float, ...]


def ranking(row: Row) -> tuple[Ranking, ...]:
    """Rank the answers of a row by all its pairs; answers that no chain joins are apart."""
    return rank(row.pairs)


def rank(pairs: Iterable[Pair]) -> tuple[Ranking, ...]:
    """Rank the answers of some pairs of one prompt.

    All pairs with a judge's probability take part, ties and those set aside as well. Two answers
    with one text are one answer. Empty when no two different answers were compared.
    """
    index: dict[str, int] = {}
    comparisons = []
    for pair in pairs:
        if pair.p is not None and pair.first != pair.second:
            first, second = (index.setdefault(t, len(index)) for t in (pair.first, pair.second))
            comparisons.append(Comparison(first, second, pair.p))
    texts, found = list(index), []
    for group in connected(comparisons):
        scores = dict(zip(group, strengths(comparisons, group), strict=True))
        # Rounded, so that equal scores stay in the order of the pairs on every machine.
        best = sorted(group, key=lambda i: -round(scores[i], 9))
        found.append(Ranking(tuple(texts[i] for i in best), tuple(scores[i] for i in best)))
    return tuple(found)


def write_rankings(row: Row, context: Context) -> Iterator[dict[str, Any]]:
    """Answers best first, with their Bradley–Terry scores (mean zero, differences in log-odds).

    `ranking` says which pairs take part. Answers that no chain of comparisons joins are in rankings
    of their own.
    """
    for scale in _rankings(row, context):
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
    for scale in _rankings(row, context):
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


def _rankings(row: Row, context: Context) -> tuple[Ranking, ...]:
    found = ranking(row)
    if not found:
        context.left_out[_UNCOMPARED] += 1
    return found
