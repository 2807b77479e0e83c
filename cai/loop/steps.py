"""The steps that a row is made of, each with its place, its principles and its calls."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.records import Pair, PrincipleVerdict, Row

__all__ = ["Step", "steps"]

_SAMPLE = re.compile(r"sample (\d+)")


@dataclass(frozen=True, slots=True)
class Step:
    """Calls of a row that are made together.

    `place` is the same for the same step of another row of the prompt; `pair` is what several steps
    have in common that differ in their principles: a pair, or a step itself. `chain` is the number
    of the sample whose rounds decide whether the step is there, None where they do not.
    """

    kind: Literal["sample", "contrast", "critique", "revise", "judged"]
    made_by: Literal["sample", "round", "revision", "samples", "contrast"]
    place: tuple[object, ...]
    pair: tuple[object, ...]
    chain: int | None
    principles: tuple[str, ...]
    request_ids: tuple[str, ...]


def steps(row: Row) -> Iterator[Step]:
    """Yield the steps so that none comes before one that it depends on."""
    for i, sample in enumerate(row.samples):
        yield _simple("sample", "sample", ("sample", i), None, (), sample.request_id)
    for i, sample in enumerate(row.contrast):
        yield _simple("contrast", "sample", ("contrast", i), None, (), sample.request_id)
    for i, rounds in enumerate(row.revisions):
        for revision in rounds:
            place, under = (i, revision.round), (revision.principle_id,)
            asked = revision.critique_request_id
            if asked:
                yield _simple("critique", "round", ("critique", *place), i, under, asked)
            if asked := revision.revise_request_id:
                yield _simple("revise", "round", ("revise", *place), i, under, asked)
    for pair in row.pairs:
        for verdict in pair.verdict.principles if pair.verdict else ():
            yield from _judged(pair, verdict)


def _simple(
    kind: Literal["sample", "contrast", "critique", "revise"],
    made_by: Literal["sample", "round"],
    place: tuple[object, ...],
    chain: int | None,
    principles: tuple[str, ...],
    request_id: str,
) -> Step:
    return Step(kind, made_by, place, place, chain, principles, (request_id,))


def _judged(pair: Pair, verdict: PrincipleVerdict) -> Iterator[Step]:
    names = (pair.kind, pair.first_name, pair.second_name)
    # Which revision a pair shows, and whether there is one, depends on the rounds of its sample.
    numbered = _SAMPLE.fullmatch(pair.first_name) if pair.kind == "revision" else None
    chain = int(numbered[1]) if numbered else None

    def step(part: tuple[object, ...], request_ids: tuple[str, ...]) -> Step:
        place = (*names, verdict.judge, verdict.principle_ids, *part)
        return Step("judged", pair.kind, place, names, chain, verdict.principle_ids, request_ids)

    for order in verdict.orders:
        reasons = tuple(reasoning.request_id for reasoning in order.reasonings)
        ids = (*reasons, order.request_id, *order.more_request_ids)
        yield step((order.order,), tuple(dict.fromkeys(ids)))
    for score in verdict.scores:
        part = (score.answer, score.statement)
        yield step(part, (score.request_id, *score.more_request_ids))
