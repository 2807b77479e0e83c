"""Files of comparisons, conversations, rankings, ratings and prompts, as training examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.formats.read import read_records
from cai.hashing import short_id
from cai.intake.rows import broken
from cai.train.examples import (
    Demonstration,
    Labelled,
    Preference,
    PromptExample,
    Ranking,
    Rating,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cai.formats.records import Record
    from cai.records import Message
    from cai.train.examples import Origin

__all__ = ["Example", "read_file", "read_lines"]

Example = Demonstration | Preference | PromptExample | Ranking | Rating


def read_file(path: Path, origin: Origin) -> Iterator[Example]:
    """Yield the examples of a JSONL file, plain or gzip, or of a Parquet file.

    A comparison without `p` is certain (p = 1). One with p below ½ is turned round. Comparisons of
    equal answers teach nothing and are left out, as are those with p = ½ and undecided ones. A
    label is a rating of 1 or 0, and an edit is its revision, to be imitated. Answers with a score
    each are a ranking, and no more than a prompt where two scores are equal.

    Raises:
        InputError: a line cannot be read.
    """
    for _, example in read_lines(path, origin):
        if example is not None:
            yield example


def read_lines(path: Path, origin: Origin) -> Iterator[tuple[int, Example | None]]:
    """The same with the number of the line, and None for what is left out.

    Raises:
        InputError: a line cannot be read.
    """
    for record in read_records(path):
        if origin == "human" and record.source in ("ai", "revision"):
            raise broken(
                record.place,
                f"a row with source: {record.source} in a file with origin: human",
                "rows that people labelled or wrote",
                "Leave origin out, or train from the run that made the file.",
            )
        yield record.place[1], _example(record, origin)


def _example(record: Record, origin: Origin) -> Example | None:
    prompt, answers = record.prompt, record.answers
    if record.kind == "pair":
        return _preference(record, origin)
    if record.kind == "prompt":
        return PromptExample(prompt, _id(prompt))
    if record.kind == "ranking":
        return Ranking(prompt, answers, _id(prompt, *answers), origin) if answers[1:] else None
    if record.kind == "scored":
        return _scored(record, origin)
    answer = answers[-1]
    if record.kind == "rating":
        return Rating(prompt, answer, record.ratings[0], _id(prompt, answer), origin)
    if record.kind == "label":
        return Labelled(prompt, answer, float(record.label or 0), _id(prompt, answer), origin)
    return Demonstration(prompt, answer, _id(prompt, answer), origin)


def _preference(record: Record, origin: Origin) -> Preference | None:
    # With a note the row says itself that it names no winner, whatever its p.
    if record.note or record.p is None or record.p == 0.5:
        return None
    (chosen, rejected), p = record.answers, record.p
    if p < 0.5:
        chosen, rejected, p = rejected, chosen, 1.0 - p
    if chosen == rejected:
        return None
    prompt = record.prompt
    return Preference(prompt, chosen, rejected, p, _id(prompt, chosen, rejected), origin)


def _scored(record: Record, origin: Origin) -> Ranking | PromptExample:
    prompt, ratings = record.prompt, record.ratings
    if len(ratings) < 2 or len(set(ratings)) < len(ratings):
        return PromptExample(prompt, _id(prompt))
    best = sorted(range(len(ratings)), key=ratings.__getitem__, reverse=True)
    answers = tuple(record.answers[i] for i in best)
    return Ranking(prompt, answers, _id(prompt, *answers), origin)


def _id(prompt: tuple[Message, ...], *answers: str) -> str:
    turns = [[m.role, m.content] for m in prompt]
    return short_id([turns, *answers]) if answers else short_id(turns)
