"""Rows about single answers, rankings and prompts, in their several layouts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cai.formats.cells import role_of, shown
from cai.formats.records import Record

if TYPE_CHECKING:
    from cai.formats.cells import Cells
    from cai.formats.records import RecordKind, RecordLayout
    from cai.records import Prompt

__all__ = [
    "alpaca_answer",
    "bare_prompt",
    "conversation",
    "edit",
    "label",
    "plain_answer",
    "ranking",
    "rating",
    "scored_answers",
]

_SCORES = ("overall_score", "score", "rating", "fine-grained_score")


def edit(cells: Cells) -> Record:
    """A text, its critique and its revision."""
    prompt = cells.asked()
    answers = (cells.answer(cells.row["original"]), cells.answer(cells.row["revision"]))
    record = _record(cells, prompt, "edits", "edit", answers)
    return replace(record, critique=cells.text("critique"), principle=cells.text("principle"))


def ranking(cells: Cells) -> Record:
    """Answers, best first, perhaps with a score each."""
    prompt = cells.asked()
    ranked, scores = cells.row["ranking"], cells.row.get("scores") or []
    if not isinstance(ranked, list):
        raise cells.broken(
            f"ranking: {shown(ranked)}",
            "a list of answers, best first",
            "Write the answers in [brackets].",
        )
    answers = tuple(cells.answer(answer) for answer in ranked)
    if not isinstance(scores, list) or (scores and len(scores) != len(answers)):
        raise cells.broken(
            f"scores: {shown(scores)} for {len(answers)} answers",
            "a list of as many numbers as there are answers",
            "Correct it, or leave `scores` out.",
        )
    ratings = tuple(cells.number(score, "scores") for score in scores)
    return replace(_record(cells, prompt, "rankings", "ranking", answers), ratings=ratings)


def scored_answers(cells: Cells) -> Record:
    """`completions` with scores, as in UltraFeedback (Cui et al. 2023, arXiv:2310.01377)."""
    prompt, items = cells.asked(), cells.row["completions"]
    answers = tuple(cells.answer(item.get("response", item.get("text"))) for item in items)
    scores = tuple(score for item in items if (score := _score(item)) is not None)
    ratings = scores if len(scores) == len(answers) else ()
    return replace(_record(cells, prompt, "completions", "scored", answers), ratings=ratings)


def rating(cells: Cells) -> Record:
    """An answer and a number for it."""
    prompt = cells.asked()
    record = _record(cells, prompt, "ratings", "rating", (cells.answer(cells.row["answer"]),))
    return replace(record, ratings=(cells.number(cells.row["rating"], "rating"),))


def label(cells: Cells) -> Record:
    """An answer that is good or bad."""
    prompt, good = cells.asked(), cells.row["label"]
    if not isinstance(good, bool):
        raise cells.broken(f"label: {shown(good)}", "true or false", "Write it without quotes.")
    answers = (cells.answer(cells.row["completion"]),)
    return replace(_record(cells, prompt, "kto", "label", answers), label=good)


def alpaca_answer(cells: Cells) -> Record:
    """Instruction and input, joined by a blank line, and the output."""
    for key in ("history", "system"):
        if cells.row.get(key):
            raise cells.broken(
                f"'{key}' in a row with 'instruction'",
                "'instruction', 'input' and 'output' of one turn",
                "Write the conversation as 'messages'.",
            )
    prompt = cells.instruction("instruction")
    return _record(cells, prompt, "alpaca", "answer", (cells.answer(cells.row["output"]),))


def plain_answer(cells: Cells) -> Record:
    """A prompt and its answer, under one of several keys."""
    return _record(cells, cells.asked(), "trl", "answer", (cells.answer(cells.given),))


def conversation(cells: Cells) -> Record:
    """A conversation that ends with an answer, or one that waits for it."""
    turns = cells.row["messages"]
    if isinstance(turns, list) and turns and role_of(turns[-1]) == "assistant":
        prompt = cells.prompt(turns[:-1])
        return _record(cells, prompt, "trl", "answer", (cells.answer(turns[-1:]),))
    prompt = cells.prompt(turns if isinstance(turns, list) else [turns])
    return Record("rl-prompts", "prompt", cells.place, prompt.messages, tags=prompt.tags)


def bare_prompt(cells: Cells) -> Record:
    """A prompt and no answer."""
    prompt = cells.prompt(cells.row["prompt"])
    return Record("rl-prompts", "prompt", cells.place, prompt.messages, tags=prompt.tags)


def _record(
    cells: Cells, prompt: Prompt, layout: RecordLayout, kind: RecordKind, answers: tuple[str, ...]
) -> Record:
    """The record of a prompt and answers, with what every reader takes from the row."""
    return Record(
        layout=layout,
        kind=kind,
        place=cells.place,
        prompt=prompt.messages,
        answers=answers,
        tags=prompt.tags,
        source=cells.source,
    )


def _score(item: dict[str, Any]) -> float | None:
    numbers = (item.get(key) for key in _SCORES)
    return next(
        (float(n) for n in numbers if isinstance(n, int | float) and math.isfinite(n)), None
    )
